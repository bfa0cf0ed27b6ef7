BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0004');
CREATE TABLE channel (
	id VARCHAR(128) NOT NULL, 
	owner VARCHAR(36) NOT NULL, 
	created_at BIGINT NOT NULL, 
	expires_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "channel" VALUES('streaming-0-d816b05f39e01b38020ec2317588','0b9697fc-5da5-4d3d-9410-b74c05a86839',1795950445552,1796036845548,NULL);
CREATE TABLE conversation (
	id VARCHAR(36) NOT NULL, 
	customer_id VARCHAR(36), 
	state VARCHAR(16) NOT NULL, 
	outcome VARCHAR(16), 
	created_at BIGINT NOT NULL, 
	owner VARCHAR(36), 
	epoch BIGINT DEFAULT 0 NOT NULL, 
	channel_id VARCHAR(128), 
	uncovered_since BIGINT, 
	covered_at BIGINT, 
	in_doubt BOOLEAN DEFAULT 0 NOT NULL, 
	due_at BIGINT, 
	looked_at BIGINT, 
	asked INTEGER DEFAULT 0 NOT NULL, 
	deadline_at BIGINT NOT NULL, 
	closed_at BIGINT, 
	last_look_at BIGINT, 
	missed INTEGER DEFAULT 0 NOT NULL, 
	unknown_since BIGINT, 
	erased_at BIGINT, 
	PRIMARY KEY (id)
);
INSERT INTO "conversation" VALUES('7e9cb6e6-8927-4922-986a-140d293d5b44',NULL,'closed','logged',1795950422589,'6f340236-708f-4f1e-af60-b77d0088b8ec',0,NULL,NULL,1795950422689,0,NULL,NULL,0,1796209622699,1795950422765,1796036822765,0,NULL,1795950423784);
INSERT INTO "conversation" VALUES('15a9f789-b6c9-4fc1-aa13-2d891391a0eb','6d73c68e-2fb2-5f23-aecc-9c7c0038a133','closed','unresolved',1795950428910,'c837fa2d-1560-402c-80c0-2df6a2ed5f0b',0,NULL,NULL,1795950428988,0,NULL,1795950429713,4,1795950429910,1795950429928,1796036829928,0,1795950429067,NULL);
INSERT INTO "conversation" VALUES('5724503e-c3fe-4acd-b244-1366ec6b57e4','3156ac90-fb99-5969-8b87-32917940801c','closed','logged',1795950434984,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950435068,0,NULL,NULL,0,1796209635100,1795950435141,1796036835141,0,NULL,NULL);
INSERT INTO "conversation" VALUES('e5a9f478-e2bd-44c3-bc54-81e4d498ae44','af0a310a-0433-5eef-ae55-6d2f73c258f6','closed','logged',1795950435156,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950435568,0,NULL,1795950435571,0,1796209635618,1795950435990,1796036835990,0,NULL,NULL);
INSERT INTO "conversation" VALUES('f4d6bd5d-607b-4cd9-87c2-ad13efe5d23b','228cd974-fe0a-5a67-8872-96deb35c4535','closed','no_acw',1795950436008,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950436069,0,NULL,NULL,0,1796209636008,1795950436200,1796036836200,0,NULL,NULL);
INSERT INTO "conversation" VALUES('c567043c-0236-4dde-ab52-41a6af2ba715','22b0653c-b650-5e72-b6c1-239683970b92','closed','logged',1795950436210,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950436572,0,NULL,1795950436577,0,1796209636596,1795950436999,1796036836999,0,NULL,NULL);
INSERT INTO "conversation" VALUES('9d78946f-c2a4-4ca0-98c4-e0b1452f4999',NULL,'closed','logged',1795950437017,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950437073,0,NULL,NULL,0,1796209637095,1795950437210,1796036837210,0,NULL,1795950437861);
INSERT INTO "conversation" VALUES('097c1bd0-be42-4dba-9bea-e6e62fb32d41','b05e1f28-7406-5b01-8094-ac00586b1b16','subscribed',NULL,1795950437994,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950449257,1795950445836,3,1796209645850,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b','c93a94ea-ed57-50c6-bdf5-dbf40d8e82f0','subscribed',NULL,1795950438073,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950449038,1795950445857,3,1796209645863,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('308ab950-9ec8-438b-b3bd-6013675ad1cd','7424ca60-845b-5298-852f-8a613dcd5bac','subscribed',NULL,1795950438571,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950452377,1795950446099,4,1796209646102,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('17194510-ca24-46fd-b07c-8701d4119b1f','3e478142-4fd5-5996-aadb-fbb19e6504d1','subscribed',NULL,1795950439104,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950450674,1795950439555,4,1796209639574,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('302cb3cc-dc3c-4e40-81dc-0269bd90debd','61ba213c-010e-4cc7-875c-716a665a4fbe','subscribed',NULL,1795950439631,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950449039,1795950445866,3,1796209645872,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('61539652-11bc-4525-9ac9-3ed109f9f303','ef39f1b0-0a6a-5aef-a375-86a394f59beb','subscribed',NULL,1795950440065,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,1,1795950448530,1795950447945,7,1796209640065,NULL,NULL,0,1795950440630,NULL);
INSERT INTO "conversation" VALUES('c0c40305-4661-4d25-ba09-230cddc5c277','0060b032-6956-5900-9bfd-c57256517cba','closed','no_acw',1795950440068,'325cbad6-b619-465b-abad-f10243f6955c',0,NULL,NULL,1795950441064,0,NULL,NULL,2,1796209640663,1795950441632,1796036841632,0,NULL,NULL);
INSERT INTO "conversation" VALUES('1ed15872-f443-40fb-9571-4000076a2a12','8441bbdd-ba9b-5df6-b4d1-34027b10b6d8','pending',NULL,1795950440699,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,NULL,1795950440699,NULL,1,1795950449561,NULL,4,1796209640699,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('20bebd9f-9bdc-4047-a166-31f09c280d15','a3ac4376-e748-5279-9004-9186850f08e8','subscribed',NULL,1795950440705,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950450678,NULL,4,1796209641391,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('4112d7a8-105a-49e2-b9be-507d385151d1','0493fa19-64bc-5220-94b3-a32227adc08b','subscribed',NULL,1795950441421,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950450680,1795950441922,4,1796209644078,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('decf20fc-4ebb-4b7b-86cf-5cdebae652a4','29e861f2-9955-57ae-8b26-58a18e1164e6','subscribed',NULL,1795950441586,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950450681,1795950442383,4,1796209644109,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('508102bd-0e95-463b-a9d8-a09e31cfe976','b7afca03-c3fc-519e-a59c-454f366c6646','subscribed',NULL,1795950442078,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950448682,1795950442924,3,1796209645814,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('bd5ba29c-5573-49d8-9d0e-dcfd730f6d33','f9144351-a430-54b6-a6c2-986b19f8cfe3','subscribed',NULL,1795950442586,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950448683,1795950443367,3,1796209645818,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('e586b5c1-3d20-4757-a01a-ed4c5aaa1e11','8af90940-134e-5f0e-991e-11b2906e8cbe','subscribed',NULL,1795950443092,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950448684,1795950443794,3,1796209645819,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('ed9c71fc-4bb9-42a6-be13-a74c29c55431','7f0208ba-9870-5607-91a1-42920432800f','subscribed',NULL,1795950443587,'0b9697fc-5da5-4d3d-9410-b74c05a86839',1,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950445621,0,1795950448686,NULL,3,1796209645821,NULL,NULL,0,NULL,NULL);
INSERT INTO "conversation" VALUES('f22a1f73-7cdd-4eab-8f37-345f65c1dbf4','b2fd939a-49a6-5d9e-a8e7-89fb2c51810f','subscribed',NULL,1795950445891,'0b9697fc-5da5-4d3d-9410-b74c05a86839',0,'streaming-0-d816b05f39e01b38020ec2317588',NULL,1795950446120,0,1795950450159,1795950448157,3,1796209648159,NULL,NULL,0,NULL,NULL);
CREATE TABLE entry (
	id VARCHAR(36) NOT NULL, 
	conversation_id VARCHAR(36) NOT NULL, 
	participant_id VARCHAR(64), 
	session_id VARCHAR(64), 
	user_id VARCHAR(64), 
	event_time BIGINT, 
	source VARCHAR(16) NOT NULL, 
	content TEXT, 
	stored_at BIGINT NOT NULL, 
	amended BOOLEAN DEFAULT 0 NOT NULL, 
	amended_content TEXT, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(200), 
	attempt INTEGER DEFAULT 0 NOT NULL, 
	claim BIGINT DEFAULT 0 NOT NULL, 
	claimed_by VARCHAR(36), 
	claimed_until BIGINT, 
	in_doubt BOOLEAN DEFAULT 0 NOT NULL, 
	names TEXT, 
	next_at BIGINT NOT NULL, 
	waited_ms BIGINT DEFAULT 0 NOT NULL, 
	last_error VARCHAR(200), 
	delivered_at BIGINT, 
	erased_at BIGINT, twin_id VARCHAR(36), 
	PRIMARY KEY (id)
);
INSERT INTO "entry" VALUES('33747a59-8f29-5858-971e-2cebabf05bb1','7e9cb6e6-8927-4922-986a-140d293d5b44','aafd9c00-e0d2-406e-b76f-17f7766c38e1','357eb6fe-5730-4cd6-a2d9-9ccca232b1ee','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950422696,'live',NULL,1795950422699,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,NULL,1795950422699,0,NULL,1795950422723,1795950423784,NULL);
INSERT INTO "entry" VALUES('4065ad41-6d75-53dc-9fde-84691a880a75','5724503e-c3fe-4acd-b244-1366ec6b57e4','f9b771a9-11ba-4741-aafa-66fcc9d6cd92','4cd2f1bc-7f15-4a8b-8924-667a8aac10bb','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950435097,'live','{"conversation_id":"5724503e-c3fe-4acd-b244-1366ec6b57e4","participant_id":"f9b771a9-11ba-4741-aafa-66fcc9d6cd92","session_id":"4cd2f1bc-7f15-4a8b-8924-667a8aac10bb","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950435097,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950435100,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"3156ac90-fb99-5969-8b87-32917940801c"}',1795950435100,0,NULL,1795950435115,NULL,NULL);
INSERT INTO "entry" VALUES('14ec1fd2-f96b-5f37-8902-c3cce98c0cfb','e5a9f478-e2bd-44c3-bc54-81e4d498ae44','f117ede5-5cd4-42fb-bd68-7a26234970a9','8cca55de-c4a0-4f83-8c3e-8bc72fd4876b','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950435587,'live','{"conversation_id":"e5a9f478-e2bd-44c3-bc54-81e4d498ae44","participant_id":"f117ede5-5cd4-42fb-bd68-7a26234970a9","session_id":"8cca55de-c4a0-4f83-8c3e-8bc72fd4876b","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950435587,"media_type":"EMAIL","message_type":null,"direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":"juan@example.com","callback_numbers":[],"subject":"My cards","queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}',1795950435588,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"af0a310a-0433-5eef-ae55-6d2f73c258f6"}',1795950435588,0,NULL,1795950435597,NULL,NULL);
INSERT INTO "entry" VALUES('3812cdf9-9c75-5dd2-903f-7d9d38fe9a4d','e5a9f478-e2bd-44c3-bc54-81e4d498ae44','de00b0db-d4af-4858-8e7f-39edb12ebcf2','a75fb930-318d-4c80-af2e-e054a27c21b3','4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1',1795950435616,'live','{"conversation_id":"e5a9f478-e2bd-44c3-bc54-81e4d498ae44","participant_id":"de00b0db-d4af-4858-8e7f-39edb12ebcf2","session_id":"a75fb930-318d-4c80-af2e-e054a27c21b3","user_id":"4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1","event_time":1795950435616,"media_type":"EMAIL","message_type":null,"direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":"juan@example.com","callback_numbers":[],"subject":"My cards","queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":null,"wrapup_notes":null,"wrapup_duration_ms":43250}',1795950435618,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Juan Reyes","wrapup_name":null,"customer_id":"af0a310a-0433-5eef-ae55-6d2f73c258f6"}',1795950435618,0,NULL,1795950435628,NULL,NULL);
INSERT INTO "entry" VALUES('67b04e10-36dd-5882-9c0d-7cae065867aa','c567043c-0236-4dde-ab52-41a6af2ba715',NULL,NULL,'8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950437000,'supportResult','{"conversation_id":"c567043c-0236-4dde-ab52-41a6af2ba715","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950437000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}',1795950436596,0,'{"conversation_id":"c567043c-0236-4dde-ab52-41a6af2ba715","participant_id":"09719db0-5ee6-4434-83bb-c81332c42fdb","session_id":"29164e94-55ca-4fdc-add1-754be7317384","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950436637,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}','delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":"22b0653c-b650-5e72-b6c1-239683970b92"}',1795950436596,0,NULL,1795950436617,NULL,'24531477-1ebd-5e82-8e7e-06feec988ce0');
INSERT INTO "entry" VALUES('53a960c7-7b4c-53b1-a108-8a40761c445b','9d78946f-c2a4-4ca0-98c4-e0b1452f4999','b03d8b55-84f7-4362-b5f6-c9cd238ed56a','e3ab7c11-efc1-4a44-a5a8-557df58a2892','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950437093,'live',NULL,1795950437095,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,NULL,1795950437095,0,NULL,1795950437104,1795950437861,NULL);
INSERT INTO "entry" VALUES('b7ed63ae-e66b-5775-ae6b-0d9c51ee1894','308ab950-9ec8-438b-b3bd-6013675ad1cd','4a092585-4c19-4cd1-a080-a40ae0dfd06f','e33c937d-8188-4d20-bcc7-895e64048dfc','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950439067,'live','{"conversation_id":"308ab950-9ec8-438b-b3bd-6013675ad1cd","participant_id":"4a092585-4c19-4cd1-a080-a40ae0dfd06f","session_id":"e33c937d-8188-4d20-bcc7-895e64048dfc","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950439067,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950439070,1,'{"conversation_id":"308ab950-9ec8-438b-b3bd-6013675ad1cd","participant_id":"4a092585-4c19-4cd1-a080-a40ae0dfd06f","session_id":"e33c937d-8188-4d20-bcc7-895e64048dfc","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950439096,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"other notes","wrapup_duration_ms":43250}','delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"7424ca60-845b-5298-852f-8a613dcd5bac"}',1795950439070,0,NULL,1795950439077,NULL,NULL);
INSERT INTO "entry" VALUES('c85cc87e-3484-55fe-9b2b-dfbe075b82e0','17194510-ca24-46fd-b07c-8701d4119b1f',NULL,NULL,'8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950440000,'supportResult','{"conversation_id":"17194510-ca24-46fd-b07c-8701d4119b1f","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950440000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}',1795950439574,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":"3e478142-4fd5-5996-aadb-fbb19e6504d1"}',1795950439574,0,NULL,1795950439584,NULL,NULL);
INSERT INTO "entry" VALUES('f89239b4-b828-5a33-a534-913dcd5cae0f','5075c5a5-fe60-4b13-980f-ad2f2e08c7ac',NULL,NULL,'8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950440000,'supportResult','{"conversation_id":"5075c5a5-fe60-4b13-980f-ad2f2e08c7ac","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950440000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}',1795950439612,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":null}',1795950439612,0,NULL,1795950439633,NULL,NULL);
INSERT INTO "entry" VALUES('e7939209-4286-559f-9d0e-46b25110a78a','308ab950-9ec8-438b-b3bd-6013675ad1cd',NULL,'e33c937d-8188-4d20-bcc7-895e64048dfc',NULL,1795950439616,'live','{"conversation_id":"308ab950-9ec8-438b-b3bd-6013675ad1cd","participant_id":null,"session_id":"e33c937d-8188-4d20-bcc7-895e64048dfc","user_id":null,"event_time":1795950439616,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950439619,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":null,"wrapup_name":"Billing question","customer_id":"7424ca60-845b-5298-852f-8a613dcd5bac"}',1795950439619,0,NULL,1795950439641,NULL,NULL);
INSERT INTO "entry" VALUES('1cdbd5b0-7aaf-5764-8f5e-537c7daa64d2','308ab950-9ec8-438b-b3bd-6013675ad1cd',NULL,NULL,NULL,1795950439617,'live','{"conversation_id":"308ab950-9ec8-438b-b3bd-6013675ad1cd","participant_id":null,"session_id":null,"user_id":null,"event_time":1795950439617,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950439619,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":null,"wrapup_name":"Billing question","customer_id":"7424ca60-845b-5298-852f-8a613dcd5bac"}',1795950439619,0,NULL,1795950439643,NULL,NULL);
INSERT INTO "entry" VALUES('8d80d6a6-4605-5f08-ad24-40356cd07dd0','20bebd9f-9bdc-4047-a166-31f09c280d15','d2b83248-ea1d-4c01-bf6e-d1402aa141b4','acdc45e1-6d39-400e-b84a-dcc85767ed91','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950441163,'backfill','{"conversation_id":"20bebd9f-9bdc-4047-a166-31f09c280d15","participant_id":"d2b83248-ea1d-4c01-bf6e-d1402aa141b4","session_id":"acdc45e1-6d39-400e-b84a-dcc85767ed91","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950441163,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}',1795950441391,0,NULL,'delivered',NULL,1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"a3ac4376-e748-5279-9004-9186850f08e8"}',1795950441391,0,NULL,1795950441415,NULL,NULL);
INSERT INTO "entry" VALUES('bb8ba514-4506-530a-93ee-4a0ddb393d15','4112d7a8-105a-49e2-b9be-507d385151d1','d6939f71-1155-4893-ba8a-fbdf66ccaafd','c0e3b542-260c-4b5b-bc12-ae85b06ff582','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950444077,'live','{"conversation_id":"4112d7a8-105a-49e2-b9be-507d385151d1","participant_id":"d6939f71-1155-4893-ba8a-fbdf66ccaafd","session_id":"c0e3b542-260c-4b5b-bc12-ae85b06ff582","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950444077,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950444078,0,NULL,'dead','refused with HTTP 422',1,1,NULL,NULL,0,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"0493fa19-64bc-5220-94b3-a32227adc08b"}',1795950444078,0,'HTTP 422',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('ecd8a424-af2b-5a8e-b7cf-b1d4efc28530','decf20fc-4ebb-4b7b-86cf-5cdebae652a4','f52f57ed-9147-4fc7-ba1f-588433654c07','6ad725a7-3c74-4777-add7-cbef23c1fa6e','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950444107,'live','{"conversation_id":"decf20fc-4ebb-4b7b-86cf-5cdebae652a4","participant_id":"f52f57ed-9147-4fc7-ba1f-588433654c07","session_id":"6ad725a7-3c74-4777-add7-cbef23c1fa6e","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950444107,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}',1795950444109,0,NULL,'pending',NULL,2,2,NULL,NULL,1,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"29e861f2-9955-57ae-8b26-58a18e1164e6"}',1795950448829,3266,'lookup: HTTP 503',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('023417e8-42fd-57e1-9961-42d22e79a8fb','508102bd-0e95-463b-a9d8-a09e31cfe976','b94499c7-61f0-4993-991c-7a0f5f878f22','8073adf1-8ebc-4c4a-bdf8-a6d95fcadbb2','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950445582,'backfill','{"conversation_id":"508102bd-0e95-463b-a9d8-a09e31cfe976","participant_id":"b94499c7-61f0-4993-991c-7a0f5f878f22","session_id":"8073adf1-8ebc-4c4a-bdf8-a6d95fcadbb2","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950445582,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950445814,0,NULL,'pending',NULL,1,1,NULL,NULL,1,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"b7afca03-c3fc-519e-a59c-454f366c6646"}',1795950446627,770,'HTTP 503',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('1e7fccd0-172a-5dea-89d2-582d198f3021','bd5ba29c-5573-49d8-9d0e-dcfd730f6d33','5b5bbb3a-4128-41d9-873e-690a8c5899e8','5854236d-c243-44ba-9582-ad19a03c7bd9','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950445591,'backfill','{"conversation_id":"bd5ba29c-5573-49d8-9d0e-dcfd730f6d33","participant_id":"5b5bbb3a-4128-41d9-873e-690a8c5899e8","session_id":"5854236d-c243-44ba-9582-ad19a03c7bd9","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950445591,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950445818,0,NULL,'pending',NULL,2,2,NULL,NULL,1,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"f9144351-a430-54b6-a6c2-986b19f8cfe3"}',1795950449924,0,'lookup: HTTP 503',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('0ba98d49-c8cb-5660-92cd-c46b60ff1df1','e586b5c1-3d20-4757-a01a-ed4c5aaa1e11','1df5847e-840c-4c81-9b66-3cf9a9ecfdc3','5c1918bc-fb06-43ae-a3da-0887822a29cc','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950445595,'backfill','{"conversation_id":"e586b5c1-3d20-4757-a01a-ed4c5aaa1e11","participant_id":"1df5847e-840c-4c81-9b66-3cf9a9ecfdc3","session_id":"5c1918bc-fb06-43ae-a3da-0887822a29cc","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950445595,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950445819,0,NULL,'pending',NULL,1,1,NULL,NULL,1,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"8af90940-134e-5f0e-991e-11b2906e8cbe"}',1795950446422,556,'HTTP 503',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('3d8eff0c-240f-5082-9b75-9275316e4be1','ed9c71fc-4bb9-42a6-be13-a74c29c55431','4be5037f-0185-4a0e-9de3-414cee67aae9','e70dd3fa-beb4-4c42-8e72-c09728b5eed0','8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950445600,'backfill','{"conversation_id":"ed9c71fc-4bb9-42a6-be13-a74c29c55431","participant_id":"4be5037f-0185-4a0e-9de3-414cee67aae9","session_id":"e70dd3fa-beb4-4c42-8e72-c09728b5eed0","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950445600,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}',1795950445821,0,NULL,'pending',NULL,1,1,NULL,NULL,1,'{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"7f0208ba-9870-5607-91a1-42920432800f"}',1795950446223,357,'HTTP 503',NULL,NULL,NULL);
INSERT INTO "entry" VALUES('dc445a43-4bd5-5b7e-a0e0-66dbd0ad5cd2','f22a1f73-7cdd-4eab-8f37-345f65c1dbf4',NULL,NULL,'8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac',1795950446000,'supportResult','{"conversation_id":"f22a1f73-7cdd-4eab-8f37-345f65c1dbf4","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950446000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}',1795950446129,0,NULL,'pending',NULL,0,0,NULL,NULL,0,NULL,1795950446129,0,NULL,NULL,NULL,NULL);
CREATE TABLE instance (
	id VARCHAR(36) NOT NULL, 
	epoch BIGINT NOT NULL, 
	started_at BIGINT NOT NULL, 
	lease_until BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "instance" VALUES('0b9697fc-5da5-4d3d-9410-b74c05a86839',4,1795950445502,1795950448497);
CREATE TABLE quarantine (
	seq INTEGER NOT NULL, 
	at BIGINT NOT NULL, 
	reason VARCHAR(64) NOT NULL, 
	topic VARCHAR(200), 
	frame TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "quarantine" VALUES(1,1795950439626,'not_an_object',NULL,'[]');
INSERT INTO "quarantine" VALUES(2,1795950439626,'not_json',NULL,'{not json');
CREATE TABLE registration (
	conversation_id VARCHAR(36) NOT NULL, 
	accepted_at BIGINT NOT NULL, 
	PRIMARY KEY (conversation_id)
);
INSERT INTO "registration" VALUES('7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422589);
INSERT INTO "registration" VALUES('15a9f789-b6c9-4fc1-aa13-2d891391a0eb',1795950428910);
INSERT INTO "registration" VALUES('5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950434984);
INSERT INTO "registration" VALUES('e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435156);
INSERT INTO "registration" VALUES('f4d6bd5d-607b-4cd9-87c2-ad13efe5d23b',1795950436008);
INSERT INTO "registration" VALUES('c567043c-0236-4dde-ab52-41a6af2ba715',1795950436210);
INSERT INTO "registration" VALUES('9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437017);
INSERT INTO "registration" VALUES('097c1bd0-be42-4dba-9bea-e6e62fb32d41',1795950437994);
INSERT INTO "registration" VALUES('8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b',1795950438073);
INSERT INTO "registration" VALUES('308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950438571);
INSERT INTO "registration" VALUES('17194510-ca24-46fd-b07c-8701d4119b1f',1795950439104);
INSERT INTO "registration" VALUES('302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950439631);
INSERT INTO "registration" VALUES('61539652-11bc-4525-9ac9-3ed109f9f303',1795950440065);
INSERT INTO "registration" VALUES('c0c40305-4661-4d25-ba09-230cddc5c277',1795950440068);
INSERT INTO "registration" VALUES('1ed15872-f443-40fb-9571-4000076a2a12',1795950440699);
INSERT INTO "registration" VALUES('20bebd9f-9bdc-4047-a166-31f09c280d15',1795950440705);
INSERT INTO "registration" VALUES('4112d7a8-105a-49e2-b9be-507d385151d1',1795950441421);
INSERT INTO "registration" VALUES('decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950441586);
INSERT INTO "registration" VALUES('508102bd-0e95-463b-a9d8-a09e31cfe976',1795950442078);
INSERT INTO "registration" VALUES('bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950442586);
INSERT INTO "registration" VALUES('e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950443092);
INSERT INTO "registration" VALUES('ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950443587);
INSERT INTO "registration" VALUES('f22a1f73-7cdd-4eab-8f37-345f65c1dbf4',1795950445891);
CREATE TABLE transition (
	seq INTEGER NOT NULL, 
	conversation_id VARCHAR(36) NOT NULL, 
	at BIGINT NOT NULL, 
	event VARCHAR(32) NOT NULL, 
	detail VARCHAR(200), 
	PRIMARY KEY (seq)
);
INSERT INTO "transition" VALUES(1,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422589,'registered',NULL);
INSERT INTO "transition" VALUES(2,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422689,'subscribed',NULL);
INSERT INTO "transition" VALUES(3,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422699,'event_stored','33747a59-8f29-5858-971e-2cebabf05bb1');
INSERT INTO "transition" VALUES(4,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422723,'delivered','33747a59-8f29-5858-971e-2cebabf05bb1');
INSERT INTO "transition" VALUES(5,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950422765,'closed','logged');
INSERT INTO "transition" VALUES(6,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950423784,'erased','33747a59-8f29-5858-971e-2cebabf05bb1');
INSERT INTO "transition" VALUES(7,'7e9cb6e6-8927-4922-986a-140d293d5b44',1795950423784,'erased',NULL);
INSERT INTO "transition" VALUES(8,'15a9f789-b6c9-4fc1-aa13-2d891391a0eb',1795950428910,'registered',NULL);
INSERT INTO "transition" VALUES(9,'15a9f789-b6c9-4fc1-aa13-2d891391a0eb',1795950428988,'subscribed',NULL);
INSERT INTO "transition" VALUES(10,'15a9f789-b6c9-4fc1-aa13-2d891391a0eb',1795950429928,'closed','unresolved');
INSERT INTO "transition" VALUES(11,'5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950434984,'registered',NULL);
INSERT INTO "transition" VALUES(12,'5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950435068,'subscribed',NULL);
INSERT INTO "transition" VALUES(13,'5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950435100,'event_stored','4065ad41-6d75-53dc-9fde-84691a880a75');
INSERT INTO "transition" VALUES(14,'5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950435115,'delivered','4065ad41-6d75-53dc-9fde-84691a880a75');
INSERT INTO "transition" VALUES(15,'5724503e-c3fe-4acd-b244-1366ec6b57e4',1795950435141,'closed','logged');
INSERT INTO "transition" VALUES(16,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435156,'registered',NULL);
INSERT INTO "transition" VALUES(17,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435568,'subscribed',NULL);
INSERT INTO "transition" VALUES(18,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435588,'event_stored','14ec1fd2-f96b-5f37-8902-c3cce98c0cfb');
INSERT INTO "transition" VALUES(19,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435597,'delivered','14ec1fd2-f96b-5f37-8902-c3cce98c0cfb');
INSERT INTO "transition" VALUES(20,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435618,'event_stored','3812cdf9-9c75-5dd2-903f-7d9d38fe9a4d');
INSERT INTO "transition" VALUES(21,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435628,'delivered','3812cdf9-9c75-5dd2-903f-7d9d38fe9a4d');
INSERT INTO "transition" VALUES(22,'e5a9f478-e2bd-44c3-bc54-81e4d498ae44',1795950435990,'closed','logged');
INSERT INTO "transition" VALUES(23,'f4d6bd5d-607b-4cd9-87c2-ad13efe5d23b',1795950436008,'registered',NULL);
INSERT INTO "transition" VALUES(24,'f4d6bd5d-607b-4cd9-87c2-ad13efe5d23b',1795950436069,'subscribed',NULL);
INSERT INTO "transition" VALUES(25,'f4d6bd5d-607b-4cd9-87c2-ad13efe5d23b',1795950436200,'closed','no_acw');
INSERT INTO "transition" VALUES(26,'c567043c-0236-4dde-ab52-41a6af2ba715',1795950436210,'registered',NULL);
INSERT INTO "transition" VALUES(27,'c567043c-0236-4dde-ab52-41a6af2ba715',1795950436572,'subscribed',NULL);
INSERT INTO "transition" VALUES(28,'c567043c-0236-4dde-ab52-41a6af2ba715',1795950436596,'event_stored','67b04e10-36dd-5882-9c0d-7cae065867aa');
INSERT INTO "transition" VALUES(29,'c567043c-0236-4dde-ab52-41a6af2ba715',1795950436617,'delivered','67b04e10-36dd-5882-9c0d-7cae065867aa');
INSERT INTO "transition" VALUES(30,'c567043c-0236-4dde-ab52-41a6af2ba715',1795950436999,'closed','logged');
INSERT INTO "transition" VALUES(31,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437017,'registered',NULL);
INSERT INTO "transition" VALUES(32,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437073,'subscribed',NULL);
INSERT INTO "transition" VALUES(33,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437095,'event_stored','53a960c7-7b4c-53b1-a108-8a40761c445b');
INSERT INTO "transition" VALUES(34,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437104,'delivered','53a960c7-7b4c-53b1-a108-8a40761c445b');
INSERT INTO "transition" VALUES(35,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437210,'closed','logged');
INSERT INTO "transition" VALUES(36,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437861,'erased','53a960c7-7b4c-53b1-a108-8a40761c445b');
INSERT INTO "transition" VALUES(37,'9d78946f-c2a4-4ca0-98c4-e0b1452f4999',1795950437861,'erased',NULL);
INSERT INTO "transition" VALUES(38,'097c1bd0-be42-4dba-9bea-e6e62fb32d41',1795950437994,'registered',NULL);
INSERT INTO "transition" VALUES(39,'097c1bd0-be42-4dba-9bea-e6e62fb32d41',1795950438051,'subscribed',NULL);
INSERT INTO "transition" VALUES(40,'8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b',1795950438073,'registered',NULL);
INSERT INTO "transition" VALUES(41,'8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b',1795950438551,'subscribed',NULL);
INSERT INTO "transition" VALUES(42,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950438571,'registered',NULL);
INSERT INTO "transition" VALUES(43,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439051,'subscribed',NULL);
INSERT INTO "transition" VALUES(44,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439070,'event_stored','b7ed63ae-e66b-5775-ae6b-0d9c51ee1894');
INSERT INTO "transition" VALUES(45,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439077,'delivered','b7ed63ae-e66b-5775-ae6b-0d9c51ee1894');
INSERT INTO "transition" VALUES(46,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439098,'amended','b7ed63ae-e66b-5775-ae6b-0d9c51ee1894');
INSERT INTO "transition" VALUES(47,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950439104,'registered',NULL);
INSERT INTO "transition" VALUES(48,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950439552,'subscribed',NULL);
INSERT INTO "transition" VALUES(49,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950439574,'event_stored','c85cc87e-3484-55fe-9b2b-dfbe075b82e0');
INSERT INTO "transition" VALUES(50,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950439584,'delivered','c85cc87e-3484-55fe-9b2b-dfbe075b82e0');
INSERT INTO "transition" VALUES(51,'5075c5a5-fe60-4b13-980f-ad2f2e08c7ac',1795950439612,'event_stored','f89239b4-b828-5a33-a534-913dcd5cae0f');
INSERT INTO "transition" VALUES(52,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439619,'event_stored','e7939209-4286-559f-9d0e-46b25110a78a');
INSERT INTO "transition" VALUES(53,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439619,'event_stored','1cdbd5b0-7aaf-5764-8f5e-537c7daa64d2');
INSERT INTO "transition" VALUES(54,'302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950439631,'registered',NULL);
INSERT INTO "transition" VALUES(55,'5075c5a5-fe60-4b13-980f-ad2f2e08c7ac',1795950439633,'delivered','f89239b4-b828-5a33-a534-913dcd5cae0f');
INSERT INTO "transition" VALUES(56,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439641,'delivered','e7939209-4286-559f-9d0e-46b25110a78a');
INSERT INTO "transition" VALUES(57,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950439643,'delivered','1cdbd5b0-7aaf-5764-8f5e-537c7daa64d2');
INSERT INTO "transition" VALUES(58,'302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950440053,'subscribed',NULL);
INSERT INTO "transition" VALUES(59,'302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950440060,'re_paired',NULL);
INSERT INTO "transition" VALUES(60,'61539652-11bc-4525-9ac9-3ed109f9f303',1795950440065,'registered',NULL);
INSERT INTO "transition" VALUES(61,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950440068,'registered',NULL);
INSERT INTO "transition" VALUES(62,'61539652-11bc-4525-9ac9-3ed109f9f303',1795950440553,'subscribed',NULL);
INSERT INTO "transition" VALUES(63,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950440553,'subscribed',NULL);
INSERT INTO "transition" VALUES(64,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950440641,'closed','no_acw');
INSERT INTO "transition" VALUES(65,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950440663,'followed_again',NULL);
INSERT INTO "transition" VALUES(66,'1ed15872-f443-40fb-9571-4000076a2a12',1795950440699,'registered',NULL);
INSERT INTO "transition" VALUES(67,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950440705,'registered',NULL);
INSERT INTO "transition" VALUES(68,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950441064,'subscribed',NULL);
INSERT INTO "transition" VALUES(69,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950441064,'subscribed',NULL);
INSERT INTO "transition" VALUES(70,'1ed15872-f443-40fb-9571-4000076a2a12',1795950441064,'rejected','missing.permissions');
INSERT INTO "transition" VALUES(71,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950441391,'backfilled','8d80d6a6-4605-5f08-ad24-40356cd07dd0');
INSERT INTO "transition" VALUES(72,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950441415,'delivered','8d80d6a6-4605-5f08-ad24-40356cd07dd0');
INSERT INTO "transition" VALUES(73,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950441421,'registered',NULL);
INSERT INTO "transition" VALUES(74,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950441559,'subscribed',NULL);
INSERT INTO "transition" VALUES(75,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950441586,'registered',NULL);
INSERT INTO "transition" VALUES(76,'c0c40305-4661-4d25-ba09-230cddc5c277',1795950441632,'closed','no_acw');
INSERT INTO "transition" VALUES(77,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950442058,'subscribed',NULL);
INSERT INTO "transition" VALUES(78,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950442078,'registered',NULL);
INSERT INTO "transition" VALUES(79,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950442558,'subscribed',NULL);
INSERT INTO "transition" VALUES(80,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950442586,'registered',NULL);
INSERT INTO "transition" VALUES(81,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950443084,'subscribed',NULL);
INSERT INTO "transition" VALUES(82,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950443092,'registered',NULL);
INSERT INTO "transition" VALUES(83,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950443562,'subscribed',NULL);
INSERT INTO "transition" VALUES(84,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950443587,'registered',NULL);
INSERT INTO "transition" VALUES(85,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950444062,'subscribed',NULL);
INSERT INTO "transition" VALUES(86,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950444078,'event_stored','bb8ba514-4506-530a-93ee-4a0ddb393d15');
INSERT INTO "transition" VALUES(87,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950444087,'dead','bb8ba514-4506-530a-93ee-4a0ddb393d15 refused with HTTP 422');
INSERT INTO "transition" VALUES(88,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950444109,'event_stored','ecd8a424-af2b-5a8e-b7cf-b1d4efc28530');
INSERT INTO "transition" VALUES(89,'097c1bd0-be42-4dba-9bea-e6e62fb32d41',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(90,'8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(91,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(92,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(93,'302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(94,'61539652-11bc-4525-9ac9-3ed109f9f303',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(95,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(96,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(97,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(98,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(99,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(100,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(101,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950445504,'uncovered',NULL);
INSERT INTO "transition" VALUES(102,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950445563,'attempt_failed','ecd8a424-af2b-5a8e-b7cf-b1d4efc28530 lookup: HTTP 503');
INSERT INTO "transition" VALUES(103,'097c1bd0-be42-4dba-9bea-e6e62fb32d41',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(104,'8efe24ff-bb23-4a6e-ac4a-5ad6bf9aa96b',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(105,'308ab950-9ec8-438b-b3bd-6013675ad1cd',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(106,'17194510-ca24-46fd-b07c-8701d4119b1f',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(107,'302cb3cc-dc3c-4e40-81dc-0269bd90debd',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(108,'61539652-11bc-4525-9ac9-3ed109f9f303',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(109,'20bebd9f-9bdc-4047-a166-31f09c280d15',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(110,'4112d7a8-105a-49e2-b9be-507d385151d1',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(111,'decf20fc-4ebb-4b7b-86cf-5cdebae652a4',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(112,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(113,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(114,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(115,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950445621,'subscribed',NULL);
INSERT INTO "transition" VALUES(116,'1ed15872-f443-40fb-9571-4000076a2a12',1795950445621,'rejected','missing.permissions');
INSERT INTO "transition" VALUES(117,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950445814,'backfilled','023417e8-42fd-57e1-9961-42d22e79a8fb');
INSERT INTO "transition" VALUES(118,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950445818,'backfilled','1e7fccd0-172a-5dea-89d2-582d198f3021');
INSERT INTO "transition" VALUES(119,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950445819,'backfilled','0ba98d49-c8cb-5660-92cd-c46b60ff1df1');
INSERT INTO "transition" VALUES(120,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950445821,'backfilled','3d8eff0c-240f-5082-9b75-9275316e4be1');
INSERT INTO "transition" VALUES(121,'508102bd-0e95-463b-a9d8-a09e31cfe976',1795950445857,'attempt_failed','023417e8-42fd-57e1-9961-42d22e79a8fb HTTP 503');
INSERT INTO "transition" VALUES(122,'ed9c71fc-4bb9-42a6-be13-a74c29c55431',1795950445866,'attempt_failed','3d8eff0c-240f-5082-9b75-9275316e4be1 HTTP 503');
INSERT INTO "transition" VALUES(123,'e586b5c1-3d20-4757-a01a-ed4c5aaa1e11',1795950445866,'attempt_failed','0ba98d49-c8cb-5660-92cd-c46b60ff1df1 HTTP 503');
INSERT INTO "transition" VALUES(124,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950445866,'attempt_failed','1e7fccd0-172a-5dea-89d2-582d198f3021 HTTP 503');
INSERT INTO "transition" VALUES(125,'f22a1f73-7cdd-4eab-8f37-345f65c1dbf4',1795950445891,'registered',NULL);
INSERT INTO "transition" VALUES(126,'f22a1f73-7cdd-4eab-8f37-345f65c1dbf4',1795950446120,'subscribed',NULL);
INSERT INTO "transition" VALUES(127,'f22a1f73-7cdd-4eab-8f37-345f65c1dbf4',1795950446129,'event_stored','dc445a43-4bd5-5b7e-a0e0-66dbd0ad5cd2');
INSERT INTO "transition" VALUES(128,'bd5ba29c-5573-49d8-9d0e-dcfd730f6d33',1795950447871,'attempt_failed','1e7fccd0-172a-5dea-89d2-582d198f3021 lookup: HTTP 503');
CREATE TABLE used_assertion (
	digest VARCHAR(64) NOT NULL, 
	used_at BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "used_assertion" VALUES('49bf42994cb1137111e28c77dcee31ad48f8a35e0928ee01546d716e44fb863a',1795950422598);
INSERT INTO "used_assertion" VALUES('b87a081ccd56bb6fa6016a493fad92b47dc4a25378c02d8195cc1884fe8ae47e',1795950428916);
INSERT INTO "used_assertion" VALUES('2a69b9f7f2ceff6d90aafe9ec22ea3b85f1d4e98f819e60591aef3ce6ba45e3a',1795950434994);
INSERT INTO "used_assertion" VALUES('4d4a440210fbec9c07b90d6a36a30d7709fba121e1140c538192f933bed715aa',1795950445524);
CREATE INDEX conversation_state ON conversation (state);
CREATE INDEX conversation_due ON conversation (due_at);
CREATE INDEX conversation_channel ON conversation (channel_id);
CREATE INDEX conversation_last_look ON conversation (last_look_at);
CREATE INDEX conversation_customer ON conversation (customer_id);
CREATE INDEX entry_due ON entry (state, next_at);
CREATE INDEX entry_conversation ON entry (conversation_id);
CREATE INDEX transition_conversation ON transition (conversation_id, seq);
CREATE INDEX conversation_to_erase ON conversation (closed_at) WHERE erased_at IS NULL AND closed_at IS NOT NULL;
CREATE INDEX entry_to_erase ON entry (delivered_at) WHERE erased_at IS NULL AND delivered_at IS NOT NULL;
CREATE UNIQUE INDEX entry_twin ON entry (twin_id);
COMMIT;

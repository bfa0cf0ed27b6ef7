SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.channel (
    id character varying(128) NOT NULL,
    owner character varying(36) NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    closed_at bigint
);
CREATE TABLE public.conversation (
    id character varying(36) NOT NULL,
    customer_id character varying(36),
    state character varying(16) NOT NULL,
    outcome character varying(16),
    created_at bigint NOT NULL,
    owner character varying(36),
    epoch bigint DEFAULT 0 NOT NULL,
    channel_id character varying(128),
    uncovered_since bigint,
    covered_at bigint,
    in_doubt boolean DEFAULT false NOT NULL,
    due_at bigint,
    looked_at bigint,
    asked integer DEFAULT 0 NOT NULL,
    deadline_at bigint NOT NULL,
    closed_at bigint,
    last_look_at bigint,
    missed integer DEFAULT 0 NOT NULL,
    unknown_since bigint,
    erased_at bigint
);
CREATE TABLE public.entry (
    id character varying(36) NOT NULL,
    conversation_id character varying(36) NOT NULL,
    participant_id character varying(64),
    session_id character varying(64),
    user_id character varying(64),
    event_time bigint,
    source character varying(16) NOT NULL,
    content text,
    stored_at bigint NOT NULL,
    amended boolean DEFAULT false NOT NULL,
    amended_content text,
    state character varying(16) NOT NULL,
    reason character varying(200),
    attempt integer DEFAULT 0 NOT NULL,
    claim bigint DEFAULT 0 NOT NULL,
    claimed_by character varying(36),
    claimed_until bigint,
    in_doubt boolean DEFAULT false NOT NULL,
    names text,
    next_at bigint NOT NULL,
    waited_ms bigint DEFAULT 0 NOT NULL,
    last_error character varying(200),
    delivered_at bigint,
    erased_at bigint,
    twin_id character varying(36)
);
CREATE TABLE public.instance (
    id character varying(36) NOT NULL,
    epoch bigint NOT NULL,
    started_at bigint NOT NULL,
    lease_until bigint NOT NULL
);
CREATE TABLE public.quarantine (
    seq bigint NOT NULL,
    at bigint NOT NULL,
    reason character varying(64) NOT NULL,
    topic character varying(200),
    frame text NOT NULL
);
CREATE SEQUENCE public.quarantine_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.quarantine_seq_seq OWNED BY public.quarantine.seq;
CREATE TABLE public.registration (
    conversation_id character varying(36) NOT NULL,
    accepted_at bigint NOT NULL
);
CREATE TABLE public.transition (
    seq bigint NOT NULL,
    conversation_id character varying(36) NOT NULL,
    at bigint NOT NULL,
    event character varying(32) NOT NULL,
    detail character varying(200)
);
CREATE SEQUENCE public.transition_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.transition_seq_seq OWNED BY public.transition.seq;
CREATE TABLE public.used_assertion (
    digest character varying(64) NOT NULL,
    used_at bigint NOT NULL
);
ALTER TABLE ONLY public.quarantine ALTER COLUMN seq SET DEFAULT nextval('public.quarantine_seq_seq'::regclass);
ALTER TABLE ONLY public.transition ALTER COLUMN seq SET DEFAULT nextval('public.transition_seq_seq'::regclass);
INSERT INTO public.alembic_version VALUES ('0004');
INSERT INTO public.channel VALUES ('streaming-0-95fab1fb6510bddb76a09f79356c', 'af1ad461-04e1-4103-a95a-f850ed31a332', 1795950466436, 1796036866431, NULL);
INSERT INTO public.channel VALUES ('streaming-0-69a38371355f48578eed46e0e8f9', '47b1c251-c217-41c1-8537-29527853c1a3', 1795950485573, 1796036885573, NULL);
INSERT INTO public.conversation VALUES ('b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', NULL, 'closed', 'logged', 1795950451893, '523234e1-558b-41ea-b5f2-7145d6d4416a', 0, NULL, NULL, 1795950451987, false, NULL, 1795950452047, 0, 1796209652057, 1795950452269, 1796036852269, 0, NULL, 1795950453278);
INSERT INTO public.conversation VALUES ('d95f9566-538f-4927-9020-9bc9de0aec90', '5b6d02f4-f323-580f-a091-7eee20a167e4', 'closed', 'unresolved', 1795950459323, '6012c741-f084-4fd6-880d-883b9772b51c', 0, NULL, NULL, 1795950459479, false, NULL, 1795950460247, 4, 1795950460323, 1795950460476, 1796036860476, 0, 1795950459548, NULL);
INSERT INTO public.conversation VALUES ('e0505f96-8ba4-4e43-8e5b-06bae0fc793f', '536dca9f-83af-57ec-b626-dcac78fe9dcb', 'closed', 'logged', 1795950466368, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950466505, false, NULL, 1795950466599, 0, 1796209666604, 1795950466834, 1796036866834, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('90cff014-e861-4daa-9a9b-c26bc7d5326d', 'c54d702d-0cc4-52e2-9e80-8824ba4d6b3d', 'closed', 'logged', 1795950467857, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950468170, false, NULL, 1795950468199, 0, 1796209668222, 1795950468650, 1796036868650, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('d0ef7dec-68af-45bb-b630-284a14ae5fdf', '17135126-36ff-59e1-b2d5-19167be1fb2d', 'closed', 'logged', 1795950466866, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950467007, false, NULL, 1795950467068, 0, 1796209667169, 1795950467552, 1796036867552, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('4bdcbf4e-1418-4e20-980a-281d1e8678b1', '66b11a29-3a32-53c9-97c5-d30fb8f6d969', 'closed', 'no_acw', 1795950467589, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950467670, false, NULL, NULL, 0, 1796209667589, 1795950467817, 1796036867817, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('120ce867-1a48-4d62-bf88-071cbc4773f9', NULL, 'closed', 'logged', 1795950468682, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950468741, false, NULL, 1795950468888, 0, 1796209668895, 1795950469107, 1796036869107, 0, NULL, 1795950469796);
INSERT INTO public.conversation VALUES ('2b5807d7-1a6a-4847-b6fd-75a4e5091316', 'cebd0c0a-3f6c-50df-ac90-29df489e4676', 'closed', 'no_acw', 1795950472069, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, NULL, 1795950473222, false, NULL, NULL, 2, 1796209673131, 1795950473593, 1796036873593, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('1d26c3de-8236-443d-a2ff-2b2a9700fdfb', '180788ca-7368-49d7-afac-9136927fae48', 'subscribed', NULL, 1795950471652, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950472028, false, 1795950487759, 1795950479756, 5, 1796209679759, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('31ad9145-101a-4957-81fa-c034e715361a', 'e67655fa-3926-5b73-b5c8-e57d9fddd2bd', 'subscribed', NULL, 1795950470537, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950471028, false, 1795950487996, 1795950472002, 5, 1796209672007, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('7906241c-5200-4d1a-bf92-6c4482b32059', '4fd56143-08e0-5d62-93cd-07909bd99907', 'subscribed', NULL, 1795950471095, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950471535, false, 1795950487989, 1795950471991, 5, 1796209671995, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('6d4918a1-b1b1-434c-b224-89aa7b6f9ad1', '9d129034-e85e-5952-891d-2f1c047a1013', 'pending', NULL, 1795950473150, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, NULL, 1795950473150, NULL, true, 1795950490015, NULL, 5, 1796209673150, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('4e6f5177-3677-4a07-9001-bc5cccd3ff1b', '387dd33a-e9a2-5d2b-ad5a-0e137c18c0c1', 'subscribed', NULL, 1795950473157, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950473222, false, 1795950490013, NULL, 5, 1796209673552, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('3701894c-7b3e-40ec-8530-ba3e2930150e', '4459e170-3d13-59b1-9b29-7fc558a3dcad', 'subscribed', NULL, 1795950474247, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950474726, false, 1795950488217, 1795950480803, 4, 1796209680805, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('00a99383-e300-494b-a832-fa136839b286', '9b95725e-c77a-5480-8d30-8aa4a280aea5', 'subscribed', NULL, 1795950475237, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950475727, false, 1795950487954, 1795950484726, 3, 1796209684733, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', '6bcf3733-d962-5408-b3b0-284956353325', 'subscribed', NULL, 1795950473607, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950473723, false, 1795950493731, 1795950485729, 5, 1796209685731, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('1281ec60-1f6f-4bd4-ac4a-945b32af702f', 'eecf77e3-57b2-5726-b421-cf173af1ea20', 'subscribed', NULL, 1795950473733, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950474225, false, 1795950493957, 1795950479749, 5, 1796209679753, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('3b3f7db0-bde8-43f5-b6fb-063e22d9872a', '4eb03476-dc70-5681-bbc5-2dbc415ed42e', 'subscribed', NULL, 1795950469961, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950470019, false, 1795950502181, 1795950478076, 6, 1796209678080, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('078ca289-ca18-4510-a901-6cc5fc751c70', '1d7529eb-c831-5402-9310-799f2cbe99e0', 'subscribed', NULL, 1795950474745, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950475227, false, 1795950490407, 1795950483003, 4, 1796209683009, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('1d60bdb3-228d-48fc-bc5c-b14e8f270b5c', '9a52874e-0488-5b07-94e4-87a992a4a1f1', 'subscribed', NULL, 1795950470044, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950470520, false, 1795950502650, 1795950471036, 6, 1796209671038, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('ba89291c-f253-4423-9d4f-0712ca1f6c0b', '683489ba-0163-5f3d-a902-6f935c5c8500', 'subscribed', NULL, 1795950485563, '47b1c251-c217-41c1-8537-29527853c1a3', 0, 'streaming-0-69a38371355f48578eed46e0e8f9', NULL, 1795950485632, false, 1795950489315, 1795950487312, 3, 1796209687315, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('3fc6ba2d-d4f4-4871-8bbb-7f1277e882ae', '748a8531-7b8f-58a5-b966-389af96e6773', 'subscribed', NULL, 1795950472061, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950472531, true, 1795950487648, 1795950486660, 18, 1796209672061, NULL, NULL, 0, 1795950472710, NULL);
INSERT INTO public.conversation VALUES ('550faa1c-7283-4466-90ad-e2c6a506a8d8', '91cc7c28-4aae-57fd-abd9-156de24654b9', 'subscribed', NULL, 1795950485681, '47b1c251-c217-41c1-8537-29527853c1a3', 0, 'streaming-0-69a38371355f48578eed46e0e8f9', NULL, 1795950486131, false, 1795950488548, 1795950486426, 2, 1796209686642, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 'acddfde6-6ec0-5892-8c4b-e57002b1bab1', 'subscribed', NULL, 1795950475737, 'af1ad461-04e1-4103-a95a-f850ed31a332', 0, 'streaming-0-95fab1fb6510bddb76a09f79356c', NULL, 1795950476229, false, 1795950489555, 1795950485738, 3, 1796209685740, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.conversation VALUES ('542e7d9d-ee25-440c-81d8-414931a8ff74', 'e5dee289-31dc-550a-8dbf-4d19b64dd72e', 'subscribed', NULL, 1795950486173, '47b1c251-c217-41c1-8537-29527853c1a3', 0, 'streaming-0-69a38371355f48578eed46e0e8f9', NULL, 1795950486631, false, 1795950488103, 1795950487100, 2, 1796209687103, NULL, NULL, 0, NULL, NULL);
INSERT INTO public.entry VALUES ('a74a1e67-e85c-53ea-ac0c-dfd772b17fee', 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 'd2b0a347-f458-4ba3-8184-75bc2adc3c58', '14080275-f470-4623-bef2-e3ce219642a8', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950452007, 'live', NULL, 1795950452008, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, NULL, 1795950452008, 0, NULL, 1795950452053, 1795950453116, NULL);
INSERT INTO public.entry VALUES ('9bf04ec4-c3d9-5993-98dd-1dd4071bbb24', 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', '9c06fa17-115c-46ab-bdfc-06066139dc7b', '486fef78-745c-43fc-aca9-4410151a53ea', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950467067, 'live', '{"conversation_id":"d0ef7dec-68af-45bb-b630-284a14ae5fdf","participant_id":"9c06fa17-115c-46ab-bdfc-06066139dc7b","session_id":"486fef78-745c-43fc-aca9-4410151a53ea","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950467067,"media_type":"EMAIL","message_type":null,"direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":"juan@example.com","callback_numbers":[],"subject":"My cards","queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950467069, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"17135126-36ff-59e1-b2d5-19167be1fb2d"}', 1795950467069, 0, NULL, 1795950467134, NULL, NULL);
INSERT INTO public.entry VALUES ('0025be90-d01b-5a6b-874c-a4bbfa8d77af', 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', '138c5235-8ebd-4fee-8d98-0fb48913ac6f', '84051c30-d696-4d8a-85b5-9e77016d9381', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950466539, 'live', '{"conversation_id":"e0505f96-8ba4-4e43-8e5b-06bae0fc793f","participant_id":"138c5235-8ebd-4fee-8d98-0fb48913ac6f","session_id":"84051c30-d696-4d8a-85b5-9e77016d9381","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950466539,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950466539, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"536dca9f-83af-57ec-b626-dcac78fe9dcb"}', 1795950466539, 0, NULL, 1795950466620, NULL, NULL);
INSERT INTO public.entry VALUES ('9e5c2571-649d-5841-bec8-9bf39df7c1dc', 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 'ef5db164-bab8-4e55-a08e-72f05cd9777f', '61259a6d-b2cf-460a-8409-114d2204bc77', '4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1', 1795950467165, 'live', '{"conversation_id":"d0ef7dec-68af-45bb-b630-284a14ae5fdf","participant_id":"ef5db164-bab8-4e55-a08e-72f05cd9777f","session_id":"61259a6d-b2cf-460a-8409-114d2204bc77","user_id":"4f0e0b52-6a0f-4f6c-9a5c-3a0c6d7ad5b1","event_time":1795950467165,"media_type":"EMAIL","message_type":null,"direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":"juan@example.com","callback_numbers":[],"subject":"My cards","queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":null,"wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950467169, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Juan Reyes","wrapup_name":null,"customer_id":"17135126-36ff-59e1-b2d5-19167be1fb2d"}', 1795950467169, 0, NULL, 1795950467210, NULL, NULL);
INSERT INTO public.entry VALUES ('24362392-e25b-56b5-8a3f-b9dc6b8124df', '90cff014-e861-4daa-9a9b-c26bc7d5326d', NULL, NULL, '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950468000, 'supportResult', '{"conversation_id":"90cff014-e861-4daa-9a9b-c26bc7d5326d","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950468000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}', 1795950468222, false, '{"conversation_id":"90cff014-e861-4daa-9a9b-c26bc7d5326d","participant_id":"5461f783-a94a-4829-ab09-3bc1edea99c6","session_id":"adea5a94-35e3-4bf4-8a3c-982e107fe907","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950468323,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":"c54d702d-0cc4-52e2-9e80-8824ba4d6b3d"}', 1795950468222, 0, NULL, 1795950468288, NULL, 'a2e09fbc-3db0-5fdd-ae21-3cacc62187bb');
INSERT INTO public.entry VALUES ('65c6fba8-bbbd-53e4-9425-8d134b7ee75a', '120ce867-1a48-4d62-bf88-071cbc4773f9', '4a8c60be-7c32-41a1-8b1b-2a3d56fb9f08', '5d2460f3-7a32-4d86-9fb8-37bfe21c2dbf', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950468807, 'live', NULL, 1795950468809, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, NULL, 1795950468809, 0, NULL, 1795950468855, 1795950469796, NULL);
INSERT INTO public.entry VALUES ('f8dc1f4b-701b-5bbf-81c8-fcb10d174356', '74f52926-0835-42dd-a686-5e649058ae54', NULL, NULL, '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950472000, 'supportResult', '{"conversation_id":"74f52926-0835-42dd-a686-5e649058ae54","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950472000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}', 1795950471631, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":null}', 1795950471631, 0, NULL, 1795950471678, NULL, NULL);
INSERT INTO public.entry VALUES ('26ceeb07-cb06-5740-8c61-9ceede54df88', '31ad9145-101a-4957-81fa-c034e715361a', '88fec8bd-f97a-4581-8f78-fa30615646c0', 'f71cac9e-d35c-470e-a6b9-bf83355d8784', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950471051, 'live', '{"conversation_id":"31ad9145-101a-4957-81fa-c034e715361a","participant_id":"88fec8bd-f97a-4581-8f78-fa30615646c0","session_id":"f71cac9e-d35c-470e-a6b9-bf83355d8784","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950471051,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950471053, true, '{"conversation_id":"31ad9145-101a-4957-81fa-c034e715361a","participant_id":"88fec8bd-f97a-4581-8f78-fa30615646c0","session_id":"f71cac9e-d35c-470e-a6b9-bf83355d8784","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950471086,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"other notes","wrapup_duration_ms":43250}', 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"e67655fa-3926-5b73-b5c8-e57d9fddd2bd"}', 1795950471053, 0, NULL, 1795950471074, NULL, NULL);
INSERT INTO public.entry VALUES ('7d313327-6039-545a-b50e-44d047d7450a', '7906241c-5200-4d1a-bf92-6c4482b32059', NULL, NULL, '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950472000, 'supportResult', '{"conversation_id":"7906241c-5200-4d1a-bf92-6c4482b32059","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950472000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}', 1795950471578, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":null,"customer_id":"4fd56143-08e0-5d62-93cd-07909bd99907"}', 1795950471578, 0, NULL, 1795950471606, NULL, NULL);
INSERT INTO public.entry VALUES ('a4ccdea6-3c61-5afc-b4fa-939284db6e61', '31ad9145-101a-4957-81fa-c034e715361a', NULL, 'f71cac9e-d35c-470e-a6b9-bf83355d8784', NULL, 1795950471639, 'live', '{"conversation_id":"31ad9145-101a-4957-81fa-c034e715361a","participant_id":null,"session_id":"f71cac9e-d35c-470e-a6b9-bf83355d8784","user_id":null,"event_time":1795950471639,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950471642, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":null,"wrapup_name":"Billing question","customer_id":"e67655fa-3926-5b73-b5c8-e57d9fddd2bd"}', 1795950471642, 0, NULL, 1795950471683, NULL, NULL);
INSERT INTO public.entry VALUES ('71e743d6-ad96-511b-9e77-3caaac61055b', '31ad9145-101a-4957-81fa-c034e715361a', NULL, NULL, NULL, 1795950471641, 'live', '{"conversation_id":"31ad9145-101a-4957-81fa-c034e715361a","participant_id":null,"session_id":null,"user_id":null,"event_time":1795950471641,"media_type":"MESSAGE","message_type":"WEBMESSAGING","direction":"INBOUND","ani":null,"dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950471655, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":null,"wrapup_name":"Billing question","customer_id":"e67655fa-3926-5b73-b5c8-e57d9fddd2bd"}', 1795950471655, 0, NULL, 1795950471687, NULL, NULL);
INSERT INTO public.entry VALUES ('91c0d2b0-89c1-58d8-99bc-fb3317d9faa3', '4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 'ae6e7ff2-a627-40a4-9cab-245a23673abe', '8a331cd5-5faa-4695-9e9f-b378229c9d4e', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950473248, 'backfill', '{"conversation_id":"4e6f5177-3677-4a07-9001-bc5cccd3ff1b","participant_id":"ae6e7ff2-a627-40a4-9cab-245a23673abe","session_id":"8a331cd5-5faa-4695-9e9f-b378229c9d4e","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950473248,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950473552, false, NULL, 'delivered', NULL, 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"387dd33a-e9a2-5d2b-ad5a-0e137c18c0c1"}', 1795950473552, 0, NULL, 1795950473604, NULL, NULL);
INSERT INTO public.entry VALUES ('0740ffdf-4c1a-5753-8b02-7c39abefadc3', 'ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 'f6d07dee-0627-43c9-a1ae-d606c49f0729', '4714bc0a-4718-43d0-9df0-321b4fe0bdba', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950476245, 'live', '{"conversation_id":"ad44f563-dd80-4e9d-87ff-8ab9cec31e7e","participant_id":"f6d07dee-0627-43c9-a1ae-d606c49f0729","session_id":"4714bc0a-4718-43d0-9df0-321b4fe0bdba","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950476245,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950476247, false, NULL, 'dead', 'refused with HTTP 422', 1, 1, NULL, NULL, false, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"6bcf3733-d962-5408-b3b0-284956353325"}', 1795950476247, 0, 'HTTP 422', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('c89547e7-ad0b-5965-8641-03525e2c4c88', '1281ec60-1f6f-4bd4-ac4a-945b32af702f', '20e7afe1-cc15-4a7c-b512-3b3cfd736d8b', '2eb52007-04f5-4cb1-ad63-c7ad0f0de7b2', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950476278, 'live', '{"conversation_id":"1281ec60-1f6f-4bd4-ac4a-945b32af702f","participant_id":"20e7afe1-cc15-4a7c-b512-3b3cfd736d8b","session_id":"2eb52007-04f5-4cb1-ad63-c7ad0f0de7b2","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950476278,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950476279, false, NULL, 'pending', NULL, 3, 3, NULL, NULL, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"eecf77e3-57b2-5726-b421-cf173af1ea20"}', 1795950486429, 8672, 'lookup: HTTP 503', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('2034e06e-1458-55aa-b202-ab3925060498', '3701894c-7b3e-40ec-8530-ba3e2930150e', '3dea04bc-56ca-4744-a9a6-ceb1d1c382d7', 'cfc81817-f260-4765-ae0f-0047e6a4bb38', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950477758, 'backfill', '{"conversation_id":"3701894c-7b3e-40ec-8530-ba3e2930150e","participant_id":"3dea04bc-56ca-4744-a9a6-ceb1d1c382d7","session_id":"cfc81817-f260-4765-ae0f-0047e6a4bb38","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950477758,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43250}', 1795950479978, false, NULL, 'pending', NULL, 4, 4, NULL, NULL, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"4459e170-3d13-59b1-9b29-7fc558a3dcad"}', 1795950492719, 12559, 'lookup: HTTP 503', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('3f849adb-73fc-5056-a3e0-862d64ae4a75', '078ca289-ca18-4510-a901-6cc5fc751c70', '2dccce0e-05c4-4b3f-b51f-0e58f2947ce4', '86fe5723-6dec-433d-8ff1-2d9dd82178b9', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950480137, 'backfill', '{"conversation_id":"078ca289-ca18-4510-a901-6cc5fc751c70","participant_id":"2dccce0e-05c4-4b3f-b51f-0e58f2947ce4","session_id":"86fe5723-6dec-433d-8ff1-2d9dd82178b9","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950480137,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43000}', 1795950482267, false, NULL, 'pending', NULL, 2, 2, NULL, NULL, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"1d7529eb-c831-5402-9310-799f2cbe99e0"}', 1795950486125, 3793, 'lookup: HTTP 503', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('2cee0972-5cfd-567d-b59f-bb04eb10f00a', 'ba89291c-f253-4423-9d4f-0712ca1f6c0b', NULL, NULL, '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950486000, 'supportResult', '{"conversation_id":"ba89291c-f253-4423-9d4f-0712ca1f6c0b","participant_id":null,"session_id":null,"user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950486000,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":null,"wrapup_code":"ININ-WRAP-UP-TIMEOUT","wrapup_notes":null,"wrapup_duration_ms":null}', 1795950485670, false, NULL, 'pending', NULL, 0, 0, NULL, NULL, false, NULL, 1795950485670, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('2e50e714-ba8a-5114-928a-f5c09265a3c5', 'ad4d8901-d7c1-416c-8ca1-c3d89fa88145', '84eb2e1a-71f2-49f6-91a8-2ada47247667', '9c79535a-abe7-4944-8bda-e87456a8483a', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950483997, 'backfill', '{"conversation_id":"ad4d8901-d7c1-416c-8ca1-c3d89fa88145","participant_id":"84eb2e1a-71f2-49f6-91a8-2ada47247667","session_id":"9c79535a-abe7-4944-8bda-e87456a8483a","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950483997,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43000}', 1795950485477, false, NULL, 'pending', NULL, 1, 1, NULL, NULL, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"acddfde6-6ec0-5892-8c4b-e57002b1bab1"}', 1795950485940, 0, 'HTTP 503', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('bdb532c7-4313-5681-b2ab-3c740f1b90cf', '550faa1c-7283-4466-90ad-e2c6a506a8d8', 'e3ab231a-9ec2-49c0-a41d-99246c6585ce', '70b2604b-b52a-4249-a7e2-92ff5dde299d', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950486638, 'live', '{"conversation_id":"550faa1c-7283-4466-90ad-e2c6a506a8d8","participant_id":"e3ab231a-9ec2-49c0-a41d-99246c6585ce","session_id":"70b2604b-b52a-4249-a7e2-92ff5dde299d","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950486638,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950486642, false, NULL, 'pending', NULL, 0, 0, NULL, NULL, false, NULL, 1795950486642, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('eca26990-d391-561f-9c2c-65a5276eb6d9', '00a99383-e300-494b-a832-fa136839b286', '1d844703-480b-41c6-8fe3-6e3980e41660', 'bcd8397a-eae8-4748-9565-f57c71e068a2', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950482339, 'backfill', '{"conversation_id":"00a99383-e300-494b-a832-fa136839b286","participant_id":"1d844703-480b-41c6-8fe3-6e3980e41660","session_id":"bcd8397a-eae8-4748-9565-f57c71e068a2","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950482339,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":"She said: \"it''s 50 % off\"; a \\ path,\na second line, señor Ñuñez 🙂 -- DROP TABLE entry;","wrapup_duration_ms":43000}', 1795950483988, false, NULL, 'pending', NULL, 2, 2, NULL, NULL, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"9b95725e-c77a-5480-8d30-8aa4a280aea5"}', 1795950485513, 1482, 'lookup: HTTP 503', NULL, NULL, NULL);
INSERT INTO public.entry VALUES ('ebe0be26-3929-5a92-8b84-5be32b609fe8', '542e7d9d-ee25-440c-81d8-414931a8ff74', '41106b9c-95f9-44e5-a1c1-9be97e2a392f', 'cf048ff3-24be-4e72-aee9-d552c082193c', '8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac', 1795950486643, 'live', '{"conversation_id":"542e7d9d-ee25-440c-81d8-414931a8ff74","participant_id":"41106b9c-95f9-44e5-a1c1-9be97e2a392f","session_id":"cf048ff3-24be-4e72-aee9-d552c082193c","user_id":"8ce2f903-78e6-4b50-b7aa-e1aa7e7c39ac","event_time":1795950486643,"media_type":"VOICE","message_type":null,"direction":"INBOUND","ani":"tel:+639171234567","dnis":null,"address_to":null,"address_from":null,"callback_numbers":[],"subject":null,"queue_id":"9a58c219-a109-4a46-a1af-dd8303f12a5a","wrapup_code":"7fb334b0-0e9e-11e4-9191-0800200c9a66","wrapup_notes":null,"wrapup_duration_ms":43250}', 1795950486653, false, NULL, 'pending', NULL, 1, 1, '47b1c251-c217-41c1-8537-29527853c1a3', 1795950497536, true, '{"agent_name":"Maria Cruz","wrapup_name":"Billing question","customer_id":"e5dee289-31dc-550a-8dbf-4d19b64dd72e"}', 1795950486653, 0, NULL, NULL, NULL, NULL);
INSERT INTO public.instance VALUES ('af1ad461-04e1-4103-a95a-f850ed31a332', 3, 1795950466278, 1795950492980);
INSERT INTO public.instance VALUES ('47b1c251-c217-41c1-8537-29527853c1a3', 4, 1795950477692, 1795950494402);
INSERT INTO public.quarantine VALUES (1, 1795950471655, 'not_an_object', NULL, '[]');
INSERT INTO public.quarantine VALUES (2, 1795950471655, 'not_json', NULL, '{not json');
INSERT INTO public.registration VALUES ('b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950451893);
INSERT INTO public.registration VALUES ('d95f9566-538f-4927-9020-9bc9de0aec90', 1795950459323);
INSERT INTO public.registration VALUES ('e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466368);
INSERT INTO public.registration VALUES ('d0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950466866);
INSERT INTO public.registration VALUES ('4bdcbf4e-1418-4e20-980a-281d1e8678b1', 1795950467589);
INSERT INTO public.registration VALUES ('90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950467857);
INSERT INTO public.registration VALUES ('120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950468682);
INSERT INTO public.registration VALUES ('3b3f7db0-bde8-43f5-b6fb-063e22d9872a', 1795950469961);
INSERT INTO public.registration VALUES ('1d60bdb3-228d-48fc-bc5c-b14e8f270b5c', 1795950470044);
INSERT INTO public.registration VALUES ('31ad9145-101a-4957-81fa-c034e715361a', 1795950470537);
INSERT INTO public.registration VALUES ('7906241c-5200-4d1a-bf92-6c4482b32059', 1795950471095);
INSERT INTO public.registration VALUES ('1d26c3de-8236-443d-a2ff-2b2a9700fdfb', 1795950471652);
INSERT INTO public.registration VALUES ('3fc6ba2d-d4f4-4871-8bbb-7f1277e882ae', 1795950472061);
INSERT INTO public.registration VALUES ('2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950472069);
INSERT INTO public.registration VALUES ('6d4918a1-b1b1-434c-b224-89aa7b6f9ad1', 1795950473150);
INSERT INTO public.registration VALUES ('4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 1795950473157);
INSERT INTO public.registration VALUES ('ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 1795950473607);
INSERT INTO public.registration VALUES ('1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950473733);
INSERT INTO public.registration VALUES ('3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950474247);
INSERT INTO public.registration VALUES ('078ca289-ca18-4510-a901-6cc5fc751c70', 1795950474745);
INSERT INTO public.registration VALUES ('00a99383-e300-494b-a832-fa136839b286', 1795950475237);
INSERT INTO public.registration VALUES ('ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 1795950475737);
INSERT INTO public.registration VALUES ('ba89291c-f253-4423-9d4f-0712ca1f6c0b', 1795950485563);
INSERT INTO public.registration VALUES ('550faa1c-7283-4466-90ad-e2c6a506a8d8', 1795950485681);
INSERT INTO public.registration VALUES ('542e7d9d-ee25-440c-81d8-414931a8ff74', 1795950486173);
INSERT INTO public.transition VALUES (1, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950451893, 'registered', NULL);
INSERT INTO public.transition VALUES (2, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950451987, 'subscribed', NULL);
INSERT INTO public.transition VALUES (3, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950452008, 'event_stored', 'a74a1e67-e85c-53ea-ac0c-dfd772b17fee');
INSERT INTO public.transition VALUES (4, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950452053, 'delivered', 'a74a1e67-e85c-53ea-ac0c-dfd772b17fee');
INSERT INTO public.transition VALUES (5, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950452269, 'closed', 'logged');
INSERT INTO public.transition VALUES (6, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950453116, 'erased', 'a74a1e67-e85c-53ea-ac0c-dfd772b17fee');
INSERT INTO public.transition VALUES (7, 'b2a22d46-ef4f-42e2-90e6-6ec619ce1d47', 1795950453278, 'erased', NULL);
INSERT INTO public.transition VALUES (8, 'd95f9566-538f-4927-9020-9bc9de0aec90', 1795950459323, 'registered', NULL);
INSERT INTO public.transition VALUES (9, 'd95f9566-538f-4927-9020-9bc9de0aec90', 1795950459479, 'subscribed', NULL);
INSERT INTO public.transition VALUES (10, 'd95f9566-538f-4927-9020-9bc9de0aec90', 1795950460476, 'closed', 'unresolved');
INSERT INTO public.transition VALUES (11, 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466368, 'registered', NULL);
INSERT INTO public.transition VALUES (12, 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466505, 'subscribed', NULL);
INSERT INTO public.transition VALUES (13, 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466539, 'event_stored', '0025be90-d01b-5a6b-874c-a4bbfa8d77af');
INSERT INTO public.transition VALUES (14, 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466620, 'delivered', '0025be90-d01b-5a6b-874c-a4bbfa8d77af');
INSERT INTO public.transition VALUES (15, 'e0505f96-8ba4-4e43-8e5b-06bae0fc793f', 1795950466834, 'closed', 'logged');
INSERT INTO public.transition VALUES (16, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950466866, 'registered', NULL);
INSERT INTO public.transition VALUES (17, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467007, 'subscribed', NULL);
INSERT INTO public.transition VALUES (18, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467069, 'event_stored', '9bf04ec4-c3d9-5993-98dd-1dd4071bbb24');
INSERT INTO public.transition VALUES (19, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467134, 'delivered', '9bf04ec4-c3d9-5993-98dd-1dd4071bbb24');
INSERT INTO public.transition VALUES (20, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467169, 'event_stored', '9e5c2571-649d-5841-bec8-9bf39df7c1dc');
INSERT INTO public.transition VALUES (21, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467210, 'delivered', '9e5c2571-649d-5841-bec8-9bf39df7c1dc');
INSERT INTO public.transition VALUES (22, 'd0ef7dec-68af-45bb-b630-284a14ae5fdf', 1795950467552, 'closed', 'logged');
INSERT INTO public.transition VALUES (23, '4bdcbf4e-1418-4e20-980a-281d1e8678b1', 1795950467589, 'registered', NULL);
INSERT INTO public.transition VALUES (24, '4bdcbf4e-1418-4e20-980a-281d1e8678b1', 1795950467670, 'subscribed', NULL);
INSERT INTO public.transition VALUES (25, '4bdcbf4e-1418-4e20-980a-281d1e8678b1', 1795950467817, 'closed', 'no_acw');
INSERT INTO public.transition VALUES (26, '90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950467857, 'registered', NULL);
INSERT INTO public.transition VALUES (27, '90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950468170, 'subscribed', NULL);
INSERT INTO public.transition VALUES (28, '90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950468222, 'event_stored', '24362392-e25b-56b5-8a3f-b9dc6b8124df');
INSERT INTO public.transition VALUES (29, '90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950468288, 'delivered', '24362392-e25b-56b5-8a3f-b9dc6b8124df');
INSERT INTO public.transition VALUES (30, '90cff014-e861-4daa-9a9b-c26bc7d5326d', 1795950468650, 'closed', 'logged');
INSERT INTO public.transition VALUES (31, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950468682, 'registered', NULL);
INSERT INTO public.transition VALUES (32, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950468741, 'subscribed', NULL);
INSERT INTO public.transition VALUES (33, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950468809, 'event_stored', '65c6fba8-bbbd-53e4-9425-8d134b7ee75a');
INSERT INTO public.transition VALUES (34, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950468855, 'delivered', '65c6fba8-bbbd-53e4-9425-8d134b7ee75a');
INSERT INTO public.transition VALUES (35, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950469107, 'closed', 'logged');
INSERT INTO public.transition VALUES (36, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950469796, 'erased', '65c6fba8-bbbd-53e4-9425-8d134b7ee75a');
INSERT INTO public.transition VALUES (37, '120ce867-1a48-4d62-bf88-071cbc4773f9', 1795950469796, 'erased', NULL);
INSERT INTO public.transition VALUES (38, '3b3f7db0-bde8-43f5-b6fb-063e22d9872a', 1795950469961, 'registered', NULL);
INSERT INTO public.transition VALUES (39, '3b3f7db0-bde8-43f5-b6fb-063e22d9872a', 1795950470019, 'subscribed', NULL);
INSERT INTO public.transition VALUES (40, '1d60bdb3-228d-48fc-bc5c-b14e8f270b5c', 1795950470044, 'registered', NULL);
INSERT INTO public.transition VALUES (41, '1d60bdb3-228d-48fc-bc5c-b14e8f270b5c', 1795950470520, 'subscribed', NULL);
INSERT INTO public.transition VALUES (42, '31ad9145-101a-4957-81fa-c034e715361a', 1795950470537, 'registered', NULL);
INSERT INTO public.transition VALUES (43, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471028, 'subscribed', NULL);
INSERT INTO public.transition VALUES (44, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471053, 'event_stored', '26ceeb07-cb06-5740-8c61-9ceede54df88');
INSERT INTO public.transition VALUES (45, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471074, 'delivered', '26ceeb07-cb06-5740-8c61-9ceede54df88');
INSERT INTO public.transition VALUES (46, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471087, 'amended', '26ceeb07-cb06-5740-8c61-9ceede54df88');
INSERT INTO public.transition VALUES (47, '7906241c-5200-4d1a-bf92-6c4482b32059', 1795950471095, 'registered', NULL);
INSERT INTO public.transition VALUES (48, '7906241c-5200-4d1a-bf92-6c4482b32059', 1795950471535, 'subscribed', NULL);
INSERT INTO public.transition VALUES (49, '7906241c-5200-4d1a-bf92-6c4482b32059', 1795950471578, 'event_stored', '7d313327-6039-545a-b50e-44d047d7450a');
INSERT INTO public.transition VALUES (50, '7906241c-5200-4d1a-bf92-6c4482b32059', 1795950471606, 'delivered', '7d313327-6039-545a-b50e-44d047d7450a');
INSERT INTO public.transition VALUES (51, '74f52926-0835-42dd-a686-5e649058ae54', 1795950471631, 'event_stored', 'f8dc1f4b-701b-5bbf-81c8-fcb10d174356');
INSERT INTO public.transition VALUES (52, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471642, 'event_stored', 'a4ccdea6-3c61-5afc-b4fa-939284db6e61');
INSERT INTO public.transition VALUES (53, '1d26c3de-8236-443d-a2ff-2b2a9700fdfb', 1795950471652, 'registered', NULL);
INSERT INTO public.transition VALUES (54, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471655, 'event_stored', '71e743d6-ad96-511b-9e77-3caaac61055b');
INSERT INTO public.transition VALUES (55, '74f52926-0835-42dd-a686-5e649058ae54', 1795950471678, 'delivered', 'f8dc1f4b-701b-5bbf-81c8-fcb10d174356');
INSERT INTO public.transition VALUES (56, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471683, 'delivered', 'a4ccdea6-3c61-5afc-b4fa-939284db6e61');
INSERT INTO public.transition VALUES (57, '31ad9145-101a-4957-81fa-c034e715361a', 1795950471687, 'delivered', '71e743d6-ad96-511b-9e77-3caaac61055b');
INSERT INTO public.transition VALUES (58, '1d26c3de-8236-443d-a2ff-2b2a9700fdfb', 1795950472028, 'subscribed', NULL);
INSERT INTO public.transition VALUES (59, '1d26c3de-8236-443d-a2ff-2b2a9700fdfb', 1795950472046, 're_paired', NULL);
INSERT INTO public.transition VALUES (60, '3fc6ba2d-d4f4-4871-8bbb-7f1277e882ae', 1795950472061, 'registered', NULL);
INSERT INTO public.transition VALUES (61, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950472069, 'registered', NULL);
INSERT INTO public.transition VALUES (62, '3fc6ba2d-d4f4-4871-8bbb-7f1277e882ae', 1795950472531, 'subscribed', NULL);
INSERT INTO public.transition VALUES (63, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950472531, 'subscribed', NULL);
INSERT INTO public.transition VALUES (64, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950473119, 'closed', 'no_acw');
INSERT INTO public.transition VALUES (65, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950473131, 'followed_again', NULL);
INSERT INTO public.transition VALUES (66, '6d4918a1-b1b1-434c-b224-89aa7b6f9ad1', 1795950473150, 'registered', NULL);
INSERT INTO public.transition VALUES (67, '4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 1795950473157, 'registered', NULL);
INSERT INTO public.transition VALUES (68, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950473222, 'subscribed', NULL);
INSERT INTO public.transition VALUES (69, '4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 1795950473222, 'subscribed', NULL);
INSERT INTO public.transition VALUES (70, '6d4918a1-b1b1-434c-b224-89aa7b6f9ad1', 1795950473222, 'rejected', 'missing.permissions');
INSERT INTO public.transition VALUES (71, '4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 1795950473552, 'backfilled', '91c0d2b0-89c1-58d8-99bc-fb3317d9faa3');
INSERT INTO public.transition VALUES (72, '2b5807d7-1a6a-4847-b6fd-75a4e5091316', 1795950473593, 'closed', 'no_acw');
INSERT INTO public.transition VALUES (73, '4e6f5177-3677-4a07-9001-bc5cccd3ff1b', 1795950473604, 'delivered', '91c0d2b0-89c1-58d8-99bc-fb3317d9faa3');
INSERT INTO public.transition VALUES (88, '1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950476279, 'event_stored', 'c89547e7-ad0b-5965-8641-03525e2c4c88');
INSERT INTO public.transition VALUES (74, 'ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 1795950473607, 'registered', NULL);
INSERT INTO public.transition VALUES (76, '1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950473733, 'registered', NULL);
INSERT INTO public.transition VALUES (80, '078ca289-ca18-4510-a901-6cc5fc751c70', 1795950474745, 'registered', NULL);
INSERT INTO public.transition VALUES (84, 'ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 1795950475737, 'registered', NULL);
INSERT INTO public.transition VALUES (85, 'ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 1795950476229, 'subscribed', NULL);
INSERT INTO public.transition VALUES (87, 'ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 1795950476272, 'dead', '0740ffdf-4c1a-5753-8b02-7c39abefadc3 refused with HTTP 422');
INSERT INTO public.transition VALUES (75, 'ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 1795950473723, 'subscribed', NULL);
INSERT INTO public.transition VALUES (77, '1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950474225, 'subscribed', NULL);
INSERT INTO public.transition VALUES (78, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950474247, 'registered', NULL);
INSERT INTO public.transition VALUES (79, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950474726, 'subscribed', NULL);
INSERT INTO public.transition VALUES (81, '078ca289-ca18-4510-a901-6cc5fc751c70', 1795950475227, 'subscribed', NULL);
INSERT INTO public.transition VALUES (82, '00a99383-e300-494b-a832-fa136839b286', 1795950475237, 'registered', NULL);
INSERT INTO public.transition VALUES (83, '00a99383-e300-494b-a832-fa136839b286', 1795950475727, 'subscribed', NULL);
INSERT INTO public.transition VALUES (86, 'ad44f563-dd80-4e9d-87ff-8ab9cec31e7e', 1795950476247, 'event_stored', '0740ffdf-4c1a-5753-8b02-7c39abefadc3');
INSERT INTO public.transition VALUES (89, '1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950477734, 'attempt_failed', 'c89547e7-ad0b-5965-8641-03525e2c4c88 lookup: HTTP 503');
INSERT INTO public.transition VALUES (90, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950479978, 'backfilled', '2034e06e-1458-55aa-b202-ab3925060498');
INSERT INTO public.transition VALUES (91, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950480087, 'attempt_failed', '2034e06e-1458-55aa-b202-ab3925060498 HTTP 503');
INSERT INTO public.transition VALUES (92, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950480842, 'attempt_failed', '2034e06e-1458-55aa-b202-ab3925060498 lookup: HTTP 503');
INSERT INTO public.transition VALUES (93, '1281ec60-1f6f-4bd4-ac4a-945b32af702f', 1795950481535, 'attempt_failed', 'c89547e7-ad0b-5965-8641-03525e2c4c88 lookup: HTTP 503');
INSERT INTO public.transition VALUES (94, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950481621, 'attempt_failed', '2034e06e-1458-55aa-b202-ab3925060498 lookup: HTTP 503');
INSERT INTO public.transition VALUES (95, '078ca289-ca18-4510-a901-6cc5fc751c70', 1795950482267, 'backfilled', '3f849adb-73fc-5056-a3e0-862d64ae4a75');
INSERT INTO public.transition VALUES (96, '078ca289-ca18-4510-a901-6cc5fc751c70', 1795950482305, 'attempt_failed', '3f849adb-73fc-5056-a3e0-862d64ae4a75 HTTP 503');
INSERT INTO public.transition VALUES (97, '3701894c-7b3e-40ec-8530-ba3e2930150e', 1795950482701, 'attempt_failed', '2034e06e-1458-55aa-b202-ab3925060498 lookup: HTTP 503');
INSERT INTO public.transition VALUES (98, '078ca289-ca18-4510-a901-6cc5fc751c70', 1795950483900, 'attempt_failed', '3f849adb-73fc-5056-a3e0-862d64ae4a75 lookup: HTTP 503');
INSERT INTO public.transition VALUES (99, '00a99383-e300-494b-a832-fa136839b286', 1795950483988, 'backfilled', 'eca26990-d391-561f-9c2c-65a5276eb6d9');
INSERT INTO public.transition VALUES (100, '00a99383-e300-494b-a832-fa136839b286', 1795950484011, 'attempt_failed', 'eca26990-d391-561f-9c2c-65a5276eb6d9 HTTP 503');
INSERT INTO public.transition VALUES (101, '00a99383-e300-494b-a832-fa136839b286', 1795950484584, 'attempt_failed', 'eca26990-d391-561f-9c2c-65a5276eb6d9 lookup: HTTP 503');
INSERT INTO public.transition VALUES (102, 'ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 1795950485477, 'backfilled', '2e50e714-ba8a-5114-928a-f5c09265a3c5');
INSERT INTO public.transition VALUES (103, 'ad4d8901-d7c1-416c-8ca1-c3d89fa88145', 1795950485522, 'attempt_failed', '2e50e714-ba8a-5114-928a-f5c09265a3c5 HTTP 503');
INSERT INTO public.transition VALUES (104, 'ba89291c-f253-4423-9d4f-0712ca1f6c0b', 1795950485563, 'registered', NULL);
INSERT INTO public.transition VALUES (105, 'ba89291c-f253-4423-9d4f-0712ca1f6c0b', 1795950485632, 'subscribed', NULL);
INSERT INTO public.transition VALUES (106, 'ba89291c-f253-4423-9d4f-0712ca1f6c0b', 1795950485670, 'event_stored', '2cee0972-5cfd-567d-b59f-bb04eb10f00a');
INSERT INTO public.transition VALUES (107, '550faa1c-7283-4466-90ad-e2c6a506a8d8', 1795950485681, 'registered', NULL);
INSERT INTO public.transition VALUES (108, '550faa1c-7283-4466-90ad-e2c6a506a8d8', 1795950486131, 'subscribed', NULL);
INSERT INTO public.transition VALUES (109, '542e7d9d-ee25-440c-81d8-414931a8ff74', 1795950486173, 'registered', NULL);
INSERT INTO public.transition VALUES (110, '542e7d9d-ee25-440c-81d8-414931a8ff74', 1795950486631, 'subscribed', NULL);
INSERT INTO public.transition VALUES (111, '550faa1c-7283-4466-90ad-e2c6a506a8d8', 1795950486642, 'event_stored', 'bdb532c7-4313-5681-b2ab-3c740f1b90cf');
INSERT INTO public.transition VALUES (112, '542e7d9d-ee25-440c-81d8-414931a8ff74', 1795950486653, 'event_stored', 'ebe0be26-3929-5a92-8b84-5be32b609fe8');
INSERT INTO public.used_assertion VALUES ('252ccd9ba8030e254b368643ff1d9576369be2d7000eabb2331dfb4a6359df97', 1795950451902);
INSERT INTO public.used_assertion VALUES ('b2506591abecd60169b390136a8302cd2f74d6e01becefad5314206738740f2a', 1795950459353);
INSERT INTO public.used_assertion VALUES ('d5c96576570f35abf8734f7bc37eaeca87d05e157333cfda50a793df4a0e81d9', 1795950466397);
INSERT INTO public.used_assertion VALUES ('fb8365d8664d770e92169c62e3312f67575f6457c3e9592e7a71c2beaada78aa', 1795950477749);
SELECT pg_catalog.setval('public.quarantine_seq_seq', 2, true);
SELECT pg_catalog.setval('public.transition_seq_seq', 112, true);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.channel
    ADD CONSTRAINT channel_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.conversation
    ADD CONSTRAINT conversation_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.entry
    ADD CONSTRAINT entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.instance
    ADD CONSTRAINT instance_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.registration
    ADD CONSTRAINT registration_pkey PRIMARY KEY (conversation_id);
ALTER TABLE ONLY public.transition
    ADD CONSTRAINT transition_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.used_assertion
    ADD CONSTRAINT used_assertion_pkey PRIMARY KEY (digest);
CREATE INDEX conversation_channel ON public.conversation USING btree (channel_id);
CREATE INDEX conversation_customer ON public.conversation USING btree (customer_id);
CREATE INDEX conversation_due ON public.conversation USING btree (due_at);
CREATE INDEX conversation_last_look ON public.conversation USING btree (last_look_at);
CREATE INDEX conversation_state ON public.conversation USING btree (state);
CREATE INDEX conversation_to_erase ON public.conversation USING btree (closed_at) WHERE ((erased_at IS NULL) AND (closed_at IS NOT NULL));
CREATE INDEX entry_conversation ON public.entry USING btree (conversation_id);
CREATE INDEX entry_due ON public.entry USING btree (state, next_at);
CREATE INDEX entry_to_erase ON public.entry USING btree (delivered_at) WHERE ((erased_at IS NULL) AND (delivered_at IS NOT NULL));
CREATE UNIQUE INDEX entry_twin ON public.entry USING btree (twin_id);
CREATE INDEX transition_conversation ON public.transition USING btree (conversation_id, seq);

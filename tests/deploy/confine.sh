# Becomes a program in a file system like that of a pod: bash confine.sh FOLDER UID GID WORKDIR COMMAND…, as root, inside new
# namespaces of mount, pid and uts. Lines on standard input say what is mounted: KIND PATH SIZE. It needs root.
set -euo pipefail
folder=$1 user=$2 group=$3 working=$4
shift 4

mount --make-rprivate /
# Python and the checkout stay where every user may read them; all else that the pod does not have is hidden.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/app/pod
mount --bind "$folder" /run/app/pod
for part in python site checkout; do
  mkdir "/run/app/$part"
  mount --bind "$(cat "$folder/$part")" "/run/app/$part"
  mount -o remount,bind,ro "/run/app/$part"
done
for hidden in /root /home /var /work /mnt /srv; do
  if [ -d "$hidden" ]; then mount -t tmpfs -o mode=755 tmpfs "$hidden"; fi
done
mkdir -m 700 -p /var/lib/genesys-gateway  # of the image
chown 10001:10001 /var/lib/genesys-gateway

while read -r kind path size; do
  mkdir -p "$path"
  case $kind in
    secret)  # as the kubelet lays it: links into a folder that it replaces as a whole, readable by the group
      mount -t tmpfs -o mode=755 tmpfs "$path"
      cp -r /run/app/pod/secret "$path/..2026"
      ln -s ..2026 "$path/..data"
      for file in "$path"/..data/*; do ln -s "..data/${file##*/}" "$path/"; done
      chown -R "root:$group" "$path/..2026"
      chmod 440 "$path"/..2026/*
      mount -o remount,bind,ro "$path" ;;
    memory) mount -t tmpfs -o "mode=2777,size=$size,uid=0,gid=$group" tmpfs "$path" ;;
    volume)
      mount --bind /run/app/pod/volume "$path"
      chown "root:$group" "$path"
      chmod 2775 "$path" ;;
  esac
done

for hidden in /home /root /mnt /srv /work; do
  if mountpoint -q "$hidden"; then mount -o remount,bind,ro "$hidden"; fi
done
mountpoint -q /var/lib/genesys-gateway || mount --bind /var/lib/genesys-gateway /var/lib/genesys-gateway
umount /run/app/pod
for fixed in /var /run /; do mount -o remount,bind,ro "$fixed"; done
cd "$working"
exec setpriv --reuid="$user" --regid="$group" --groups="$group" --no-new-privs --inh-caps=-all --bounding-set=-all "$@" </dev/null

# Becomes a systemd of its own, for test_systemd.py: bash boot.sh FOLDER, inside new namespaces of pid, mount, uts, ipc and cgroup.
# FOLDER/units holds the targets that systemd looks for. Everything that is written lands in memory and ends with it.
set -euo pipefail
folder=$1

mount --make-rslave /
mount -t tmpfs -o mode=755 tmpfs /run
keep=/run/test
for place in etc opt tmp var usr/local; do
  mkdir -p "$keep/$place/upper" "$keep/$place/work"
  chmod --reference="/$place" "$keep/$place/upper"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$keep/$place/upper,workdir=$keep/$place/work" "/$place"
done
mount -t proc proc /proc
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup

mkdir /run/dev
mount -t tmpfs -o mode=755 tmpfs /run/dev
for node in null zero full random urandom tty; do cp -a "/dev/$node" /run/dev/; done
mkdir -m 1777 /run/dev/shm
mkdir /run/dev/pts /run/dev/mqueue /run/dev/hugepages
mount --move /run/dev /dev
mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
ln -s pts/ptmx /dev/ptmx

# Only what the test puts there is started.
rm -rf /etc/systemd/system /var/log/journal /var/lib/systemd
mkdir -p /etc/systemd/system
mount -o remount,bind,ro /
mount --make-rshared /
exec env -i container=test PATH="$PATH" SYSTEMD_UNIT_PATH="/etc/systemd/system:$folder/units" \
  /lib/systemd/systemd --system --unit=test.target --show-status=true --log-target=journal

#!/bin/sh
# What mmdebstrap calls once the packages are in: $1 the root folder, $2 the public key of its root.
# Makes of a bare Debian a machine that boots unattended; nothing of SmartBox is in it, that comes by its package.
set -eu
root=$1
key=$2

# v4l2loopback was compiled for the one kernel; the compiler and its headers leave again
kernel=$(ls "$root/lib/modules")
mkdir -p "$root/lib/modules/$kernel/extra"
cp "$root/lib/modules/$kernel/updates/dkms/v4l2loopback.ko" "$root/tmp/"
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y purge v4l2loopback-dkms dkms linux-headers-amd64 >/dev/null
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y autoremove --purge >/dev/null
mv "$root/tmp/v4l2loopback.ko" "$root/lib/modules/$kernel/extra/"
chroot "$root" depmod "$kernel"

# an initial RAM disk with what this machine needs and no more: it is unpacked at each start
printf 'virtio_pci\nvirtio_blk\next4\nbochs\n' >>"$root/etc/initramfs-tools/modules"
echo 'MODULES=list' >"$root/etc/initramfs-tools/conf.d/small"
chroot "$root" update-initramfs -u -k "$kernel" >/dev/null

echo smartbox-test >"$root/etc/hostname"
echo '127.0.0.1 localhost smartbox-test' >"$root/etc/hosts"
echo 'LABEL=root / ext4 defaults,noatime,errors=remount-ro 0 1' >"$root/etc/fstab"
mkdir -p -m 700 "$root/root/.ssh"
install -m 600 "$key" "$root/root/.ssh/authorized_keys"
printf '[Match]\nName=en* eth*\n[Network]\nDHCP=ipv4\n' >"$root/etc/systemd/network/10-all.network"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
chroot "$root" systemctl --quiet enable systemd-networkd.service systemd-timesyncd.service
chroot "$root" systemctl --quiet mask systemd-networkd-wait-online.service

# the "hardware": one grabber with a webcam and an HDMI input, and what touch panels and pedals are made of
printf 'vivid\nuinput\n' >"$root/etc/modules-load.d/test-devices.conf"
echo 'options vivid n_devs=1 node_types=0x1 num_inputs=2 input_types=0x03' >"$root/etc/modprobe.d/test-devices.conf"
echo 'options v4l2loopback devices=1 video_nr=20 exclusive_caps=1 card_label=Camera' >>"$root/etc/modprobe.d/test-devices.conf"

rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*

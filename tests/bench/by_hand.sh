#!/bin/sh
# What the paper did by hand: by_hand.sh PARTITION_IMAGE KERNEL_BUNDLE FOLDER
# Partition image -> disk of 4 GiB with a kernel and a boot loader -> FOLDER/disk.qcow2
set -eu
source=$1
bundle=$2
folder=$3
disk=$folder/disk.raw
old=$folder/old
new=$folder/new
offset=1048576

undo() {
    for place in "$old" "$new"; do
        ! mountpoint -q "$place" || umount "$place"
    done
}
trap undo EXIT

mkdir -p "$old" "$new"
rm -f "$disk"
truncate -s 4G "$disk"
echo 'start=2048, type=83, bootable' | sfdisk -q "$disk"
mkfs.ext4 -q -F -E offset=$offset "$disk" $((4 * 1024 * 1024 - 1024))k
uuid=$(blkid -p -O $offset -s UUID -o value "$disk")
mount -o loop,ro,noload "$source" "$old"
mount -o loop,offset=$offset "$disk" "$new"
cp -a "$old/." "$new"
tar -C "$new" --exclude=manifest.json --keep-directory-symlink --no-same-owner -xf "$bundle"
kernel=$(basename "$(echo "$new"/boot/vmlinuz-*)")
initrd=$(basename "$(echo "$new"/boot/initrd.img-*)")
echo "UUID=$uuid / ext4 errors=remount-ro 0 1" >"$new/etc/fstab"
mkdir -p "$new/boot/extlinux"
cat >"$new/boot/extlinux/extlinux.conf" <<END
default linux
label linux
  kernel /boot/$kernel
  initrd /boot/$initrd
  append root=UUID=$uuid ro console=ttyS0
END
extlinux --install "$new/boot/extlinux" >/dev/null 2>&1
undo
dd if=/usr/lib/EXTLINUX/mbr.bin of="$disk" bs=440 count=1 conv=notrunc status=none
qemu-img convert -f raw -O qcow2 "$disk" "$folder/disk.qcow2"
sync

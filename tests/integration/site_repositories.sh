#!/bin/sh
# Runs inside a guest: makes a repository of the site's for each kind of package, with the package
# site-tools in two versions, signed by a key of its own where the kind has signatures.
set -eu
key='site <site@example.org>'
work=$(mktemp -d)
cd "$work"
mkdir -p /srv/apt /srv/rpm /srv/arch
gpg --batch --quiet --passphrase '' --quick-gen-key "$key" rsa2048 sign never
gpg --armor --export "$key" >/srv/site.asc
gpg --batch --quiet --passphrase '' --quick-gen-key 'other <other@example.org>' rsa2048 sign never
gpg --armor --export 'other' >/srv/other.asc

# What a package's script sees: which networks, and whether a service may be started.
script='tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " >/srv/seen; policy-rc.d ssh start; echo $? >>/srv/seen'

for version in 1.0 2.0; do
    mkdir -p deb/DEBIAN
    cat >deb/DEBIAN/control <<CONTROL
Package: site-tools
Version: $version
Architecture: all
Maintainer: site <site@example.org>
Description: tools
CONTROL
    printf '#!/bin/sh\n%s\n' "$script" >deb/DEBIAN/postinst
    chmod 755 deb/DEBIAN/postinst
    dpkg-deb --root-owner-group --build deb "/srv/apt/site-tools_${version}_all.deb" >/dev/null

    cat >package.spec <<SPEC
Name: site-tools
Version: $version
Release: 1
Summary: tools
License: GPL
BuildArch: noarch
Provides: /bin/sh
%description
tools
%post
$script
%files
SPEC
    rpmbuild -bb --quiet --define '_rpmdir /srv/rpm' package.spec 2>/dev/null

    mkdir -p arch/usr/share/site-tools
    echo "$version" >arch/usr/share/site-tools/version
    cat >arch/.PKGINFO <<PKGINFO
pkgname = site-tools
pkgver = $version-1
pkgdesc = tools
url = https://example.org
builddate = 1
packager = site
size = 4
arch = any
PKGINFO
    tar -C arch -czf "/srv/arch/site-tools-$version-1-any.pkg.tar.gz" .PKGINFO usr
done

for file in /srv/apt/*.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: ./%s\nSize: %s\n' "${file##*/}" "$(stat -c %s "$file")"
    printf 'SHA256: %s\n\n' "$(sha256sum <"$file" | cut -d' ' -f1)"
done >/srv/apt/Packages
{
    printf 'Date: %s\nSHA256:\n' "$(date -Ru)"
    printf ' %s %s Packages\n' "$(sha256sum </srv/apt/Packages | cut -d' ' -f1)" "$(stat -c %s /srv/apt/Packages)"
} >Release
gpg --batch --quiet --local-user "$key" --clearsign --output /srv/apt/InRelease Release

rpmsign --define '_gpg_name site' --addsign /srv/rpm/noarch/*.rpm >/dev/null 2>&1
createrepo_c --quiet /srv/rpm
gpg --batch --quiet --local-user "$key" --armor --detach-sign /srv/rpm/repodata/repomd.xml
cp /srv/site.asc /srv/rpm/repodata/repomd.xml.key
# zypper reads no empty database.
sed -e 's/site-tools/base/; /^Provides/d; /^%post/,/^%files/{/^%files/!d}' package.spec >base.spec
rpmbuild -bb --quiet --define "_rpmdir $work" base.spec 2>/dev/null
rpm -i noarch/base-*.rpm
repo-add --quiet /srv/arch/site.db.tar.gz /srv/arch/site-tools-1.0-1-any.pkg.tar.gz
rm -r "$work"

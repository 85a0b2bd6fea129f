#!/bin/sh
# Makes the certificates and keys of the tests of odd ones: throw-away, each good for a hundred years but for those that
# have expired. It takes OpenSSL 3.0 or 3.1: later ones make no certificates of version 1.
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem ./*.key
days=36500
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

here='subjectAltName=IP:127.0.0.1'
self() { # NAME KEY EXTENSION...
  name=$1 key=$2
  shift 2
  set -- $(printf -- '-addext %s ' "$@")
  openssl req -x509 -new -key "$key" -days $days -subj /CN=local -out "$name.pem" "$@"
}
signed() { # NAME KEY AUTHORITY AUTHORITYS-KEY DIGEST [EXTENSION...]
  name=$1 key=$2 ca=$3 cakey=$4 digest=$5
  shift 5
  openssl req -new -key "$key" -subj "/CN=$name" -out "$work/csr"
  : >"$work/ext"
  for extension; do printf '%s\n' "$extension" >>"$work/ext"; done
  if [ $# = 0 ]; then set --; else set -- -extfile "$work/ext"; fi
  openssl x509 -req -in "$work/csr" -CA "$ca" -CAkey "$cakey" -CAserial "$work/serial" -CAcreateserial -days $days "$digest" -out "$name.pem" "$@"
}

openssl ecparam -name prime256v1 -genkey -noout -out p256.key
openssl ecparam -name secp521r1 -genkey -noout -out p521.key
openssl genrsa -traditional -out rsa2048.key 2048
openssl genrsa -out rsa1024.key 1024
openssl genrsa -out rsa8192.key 8192
# The name says PKCS#8, and the content is PKCS#1 and SEC1.
sed 's/RSA PRIVATE KEY/PRIVATE KEY/' rsa2048.key >pkcs1-as-pkcs8.key
sed 's/EC PRIVATE KEY/PRIVATE KEY/' p256.key >sec1-as-pkcs8.key

# Servers that show what is itself named.
self self p256.key "$here"
self self-again p256.key "$here"
self self-elsewhere p256.key subjectAltName=DNS:elsewhere
self self-for-clients p256.key "$here" extendedKeyUsage=clientAuth
openssl req -new -key p256.key -subj /CN=local -addext "$here" -out "$work/old"
openssl x509 -req -in "$work/old" -signkey p256.key -days -1 -copy_extensions copy -out self-expired.pem
self authority rsa2048.key "$here"
# Its name and key once more, so that what it signed is signed by them as well.
openssl req -new -key rsa2048.key -subj /CN=local -out "$work/again"
printf 'basicConstraints=critical,CA:TRUE\n' >"$work/ca"
openssl x509 -req -in "$work/again" -signkey rsa2048.key -days -1 -extfile "$work/ca" -out authority-expired.pem
printf 'extendedKeyUsage=clientAuth\n' >>"$work/ca"
openssl x509 -req -in "$work/again" -signkey rsa2048.key -days $days -extfile "$work/ca" -out authority-for-clients.pem
signed leaf p256.key authority.pem rsa2048.key -sha256 "$here" basicConstraints=CA:FALSE
signed below-leaf rsa2048.key leaf.pem p256.key -sha256 "$here"
{ cat authority.pem; printf -- '-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n'; } >authority-and-junk.pem

# Servers whose certificates are signed in ways that not every TLS knows.
self authority-p256 p256.key "$here"
signed by-sha512 p256.key authority-p256.pem p256.key -sha512 "$here"
self authority-p521 p521.key "$here"
signed by-p521 p256.key authority-p521.pem p521.key -sha256 "$here"

# Clients.
for key in p256 p521 rsa2048 rsa1024 rsa8192; do
  signed "client-$key" $key.key authority.pem rsa2048.key -sha256 extendedKeyUsage=clientAuth
done
signed client-version-1 p256.key authority.pem rsa2048.key -sha256

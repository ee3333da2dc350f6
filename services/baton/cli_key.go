package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"runtime"

	"github.com/leadbaton/baton/services/internal/fault"
)

// A party's key is kept as PKCS #8 in PEM, which other tools read as well.
const keyBlock = "PRIVATE KEY"

func writeKey(path string, key ed25519.PrivateKey) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}), 0o600)
}

func readKey(path string) (ed25519.PrivateKey, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "there is no key %s", path)
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the key cannot be read: %w", err)
	}
	if perm := info.Mode().Perm(); runtime.GOOS != "windows" && perm&0o077 != 0 {
		return nil, fault.New(fault.State, "%s has mode %#o, so others than its owner could have signed with it; run chmod 600 on it if nobody else was here, or make new keys", path, perm)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the key cannot be read: %w", err)
	}
	wrong := fault.New(fault.Invalid, "%s does not hold a key for signing; baton agreement init makes one (Ed25519, PKCS #8 in PEM)", path)
	block, _ := pem.Decode(data)
	if block == nil || block.Type != keyBlock {
		return nil, wrong
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, wrong
	}
	return key, nil
}

func publicKey(key ed25519.PrivateKey) ed25519.PublicKey {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok { // its public half has no other type
		return nil
	}
	return public
}

// keyText is a public key as the document writes it.
func keyText(key []byte) string { return "ed25519:" + base64.StdEncoding.EncodeToString(key) }

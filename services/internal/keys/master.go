package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/leadbaton/baton/services/internal/fault"
)

const (
	masterFile = "master.key" // beside the database
	masterSize = 32
)

// createMaster makes the master key, on disk before it returns. The caller
// holds the database's write lock, so nobody else is making one; what an
// interrupted attempt left under the temporary name was never used.
func createMaster(file string) ([]byte, error) {
	master := make([]byte, masterSize)
	rand.Read(master)

	half := file + ".new"
	if err := os.Remove(half); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.Unavailable, "key store: create %s: %w", file, err)
	}
	f, err := os.OpenFile(half, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_, werr := f.Write(master)
		err = errors.Join(werr, f.Sync(), f.Close())
	}
	if err == nil {
		err = os.Rename(half, file)
	}
	if err == nil {
		err = syncDir(filepath.Dir(file))
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "key store: create %s: %w", file, err)
	}
	return master, nil
}

// Foretell gives a key store that is yet to be made the master key by which every id
// follows from what it is the id of: a play can be played again. Whoever knows the
// key can open everything, so it is for stores that are thrown away.
func Foretell(dir string, master [masterSize]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, masterFile), master[:], 0o600)
}

// readMaster reads the master key, and refuses one that others may read.
func readMaster(file string) ([]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "key store: open %s: %w; it must be readable by the user that runs this program", file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fault.New(fault.Unavailable, "key store: %s: %w", file, err)
	}
	if !private(info) {
		return nil, fault.New(fault.Denied, "key store: %s has mode %04o, so others may have read it; set it to 0600 and find out who could", file, info.Mode().Perm())
	}
	master := make([]byte, masterSize+1)
	n, err := f.Read(master)
	if err != nil && n == 0 && info.Size() > 0 {
		return nil, fault.New(fault.Unavailable, "key store: read %s: %w", file, err)
	}
	if n != masterSize || bytes.Count(master, []byte{0}) == len(master) {
		return nil, fault.New(fault.Corrupt, "key store: %s is not a master key of %d bytes; restore it from the backup", file, masterSize)
	}
	return master[:masterSize], nil
}

// private says whether nobody but the owner can read or write the file.
func private(info fs.FileInfo) bool {
	if runtime.GOOS == "windows" {
		return true // the mode says nothing there; the directory's access list does
	}
	return info.Mode().IsRegular() && info.Mode().Perm()&^0o600 == 0
}

// secrets are what the master key is used for: each purpose has a key of its
// own, derived by HKDF-SHA256, and the master key itself encrypts nothing.
type secrets struct {
	root  []byte      // HKDF's pseudorandom key
	wrap  cipher.AEAD // wraps data keys
	check []byte      // stored in the database, to know the master key again
	email []byte      // match keys
	phone []byte
	// likeness hides what persons are compared by.
	likeness []byte
	macs     sync.Map // purpose → key of MAC
}

func derive(master []byte) (*secrets, error) {
	root, err := hkdf.Extract(sha256.New, master, []byte("baton key store v1"))
	if err != nil {
		return nil, fault.New(fault.Unknown, "key store: derive: %w", err)
	}
	s := &secrets{root: root}
	if s.wrap, err = newAEAD(s.expand("wrap")); err != nil {
		return nil, err
	}
	s.check = s.expand("check")
	s.email = s.expand("match email")
	s.phone = s.expand("match phone")
	s.likeness = s.expand("match likeness")
	return s, nil
}

func (s *secrets) expand(purpose string) []byte {
	key, err := hkdf.Expand(sha256.New, s.root, purpose, sha256.Size)
	if err != nil {
		panic("keys: HKDF refused 32 bytes of SHA-256: " + err.Error()) // it allows 255 times as many
	}
	return key
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.New(fault.Corrupt, "key store: a key has the wrong length")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fault.New(fault.Unknown, "key store: AES-GCM: %w", err)
	}
	return aead, nil
}

// MAC is the keyed hash of the parts for a purpose: HMAC-SHA256, 32 bytes. It
// is the same in every process on the same master key, and tells nothing about
// the parts without it. Each part goes in behind its length, so no two lists of
// parts share an input. Purposes are constants of the program. MAC touches no
// disk.
func (s *Store) MAC(purpose string, parts ...[]byte) []byte {
	key, ok := s.secrets.macs.Load(purpose)
	if !ok {
		key, _ = s.secrets.macs.LoadOrStore(purpose, s.secrets.expand("mac "+purpose))
	}
	return mac(key.([]byte), parts...)
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	var length [8]byte
	for _, part := range parts {
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write(part)
	}
	return h.Sum(nil)
}

package access

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/leadbaton/baton/services/internal/fault"
)

// AdminTokenFile is the name of the file, in the data directory, that holds the
// admin token.
const AdminTokenFile = "admin.token"

// LoadAdminToken reads the admin token of a data directory; fault.NotFound when
// there is none.
func LoadAdminToken(dir string) (string, error) {
	path := filepath.Join(dir, AdminTokenFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(fault.NotFound, "access: there is no %s: the first `baton up` on this directory makes it: %w", path, err)
	}
	if err != nil {
		return "", fault.New(fault.Unavailable, "access: the admin token cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fault.New(fault.Unavailable, "access: the admin token cannot be read: %w", err)
	}
	// The group may read, because mounted secrets are given to a group; it may
	// not write, and others may do nothing.
	if perm := info.Mode().Perm(); runtime.GOOS != "windows" && perm&0o027 != 0 {
		return "", fault.New(fault.State, "access: %s has mode %#o, so others than its owner can read or change it; make a new token by removing it, or run chmod 600 on it if nobody else was here", path, perm)
	}
	held, err := io.ReadAll(io.LimitReader(f, 2*maxToken))
	if err != nil {
		return "", fault.New(fault.Unavailable, "access: the admin token cannot be read: %w", err)
	}
	token := strings.TrimSpace(string(held))
	if !wellFormed(token) {
		return "", fault.New(fault.Corrupt, "access: %s does not hold a token; remove it, and the next start makes a new one", path)
	}
	return token, nil
}

// LoadOrCreateAdminToken reads the admin token of a data directory, and makes
// it when there is none yet. Of several processes that start at once on one
// directory exactly one makes it, and all answer the same. The file appears
// whole and synced, or not at all: a process that is killed half-way leaves
// nothing that a later start stumbles over.
func LoadOrCreateAdminToken(dir string) (string, error) {
	token, err := LoadAdminToken(dir)
	if !fault.Is(err, fault.NotFound) {
		return token, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fault.New(fault.Unavailable, "access: the data directory cannot be made: %w", err)
	}
	if err := createAdminToken(dir, NewToken()); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fault.New(fault.Unavailable, "access: the admin token cannot be written: %w", err)
	}
	return LoadAdminToken(dir)
}

func createAdminToken(dir, token string) (err error) {
	tmp, err := os.CreateTemp(dir, "."+AdminTokenFile+"-*") // O_EXCL, mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	if err := writeSynced(tmp, token); err != nil {
		return err
	}
	path := filepath.Join(dir, AdminTokenFile)
	err = os.Link(tmp.Name(), path) // refuses when the file is there
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links.
		var f *os.File
		if f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			err = writeSynced(f, token)
		}
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(f *os.File, token string) error {
	_, err := f.WriteString(token + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

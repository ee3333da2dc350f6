package main

import (
	"errors"
	"os"

	"github.com/leadbaton/baton/services/internal/fault"
)

// tokenFile takes the tokens of people who were made known. Each is on disk
// before the next person is: it cannot be asked for again. Only its owner may
// read it.
type tokenFile struct {
	path string
	file *os.File
	csv  *csvWriter
}

func (t *tokenFile) add(handle, token string) error {
	if t.csv == nil {
		file, err := os.OpenFile(t.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			err = file.Chmod(0o600)
		}
		if err != nil {
			return t.failed(err)
		}
		t.file, t.csv = file, newCSVWriter(file)
		if info, err := file.Stat(); err == nil && info.Size() == 0 {
			if err := t.csv.write("handle", "token"); err != nil {
				return t.failed(err)
			}
		}
	}
	if err := errors.Join(t.csv.write(handle, token), t.csv.flush(), t.file.Sync()); err != nil {
		return t.failed(err)
	}
	return nil
}

func (t *tokenFile) failed(err error) error {
	return fault.New(fault.State, "the tokens cannot be written to %s, and each is shown once: %w", t.path, err)
}

// close answers whether there are any.
func (t *tokenFile) close() (bool, error) {
	if t.file == nil {
		return false, nil
	}
	if err := t.file.Close(); err != nil {
		return true, t.failed(err)
	}
	return true, nil
}

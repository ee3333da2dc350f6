package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"github.com/leadbaton/baton/services/internal/fault"
)

// rowFile takes rows that are set apart, each with its line and reason: those that stayed
// out, or those that went in with a warning. It holds what people typed, so only its
// owner may read it. It comes into being with the first row and appears under its name
// once it is whole.
type rowFile struct {
	path string
	// rows says what they are, for faults: "rejected".
	rows   string
	header []string
	tmp    *os.File
	csv    *csvWriter
}

// add keeps a row.
func (r *rowFile) add(rec *record, no *refusal) error {
	if r.csv == nil {
		tmp, err := os.CreateTemp(filepath.Dir(r.path), "."+filepath.Base(r.path)+"-*") // mode 0600
		if err != nil {
			return fault.New(fault.Unavailable, "the %s rows cannot be written: %w", r.rows, err)
		}
		r.tmp, r.csv = tmp, newCSVWriter(tmp)
		if err := r.write(append([]string{"line", "column", "reason"}, r.header...)); err != nil {
			return err
		}
	}
	row := []string{strconv.FormatInt(rec.line, 10), no.column, no.reason}
	if rec.cells != nil && !rec.json {
		row = append(row, rec.cells...)
	} else {
		row = append(row, string(rec.raw))
	}
	return r.write(row)
}

func (r *rowFile) write(row []string) error {
	if err := r.csv.write(row...); err != nil {
		return fault.New(fault.Unavailable, "the %s rows cannot be written: %w", r.rows, err)
	}
	return nil
}

// close puts the file in its place; false where there is no row.
func (r *rowFile) close() (bool, error) {
	if r.csv == nil {
		return false, nil
	}
	err := errors.Join(r.csv.flush(), r.tmp.Close())
	if err == nil {
		err = os.Rename(r.tmp.Name(), r.path)
	}
	if err != nil {
		return true, fault.New(fault.Unavailable, "the %s rows cannot be written: %w", r.rows, err)
	}
	return true, nil
}

package report

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/leadbaton/baton/services/internal/fault"
)

func TestOpenKeepsWhatIsThere(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a dir?#% of ours", "read.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	st := &story{}
	st.received("l1", start, nil)
	for i := range 2 {
		s, err := Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if at, err := s.Position(ctx); err != nil || at != 1 {
				t.Errorf("opened again at %d, %v; want 1", at, err)
			}
		}
		if err := s.Apply(ctx, st.events); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v; want that nobody else may read it", info.Mode())
	}
}

func TestOpenRefuses(t *testing.T) {
	ctx := context.Background()
	newer := filepath.Join(t.TempDir(), "newer.db")
	s, err := Open(ctx, newer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec("INSERT INTO schema_version (version) VALUES (1000)"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	rubbish := filepath.Join(t.TempDir(), "rubbish.db")
	if err := os.WriteFile(rubbish, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		address string
		kind    fault.Kind
		says    string
	}{
		"nothing":       {"", fault.Invalid, "no address"},
		"a newer model": {newer, fault.State, "newer version of the program"},
		"no database":   {rubbish, fault.Unavailable, "not a database"},
		"no folder":     {filepath.Join(t.TempDir(), "none", "read.db"), fault.Unavailable, "no such file"},
	} {
		s, err := Open(ctx, test.address)
		if err == nil {
			err = s.Close()
			t.Errorf("%s: opened, %v", name, err)
			continue
		}
		if !fault.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v (%s); want %s and %q", name, err, fault.Of(err), test.kind, test.says)
		}
	}
}

func TestPlacesOfPostgreSQL(t *testing.T) {
	if got := postgres.places("a = ? AND b IN (?, ?)"); got != "a = $1 AND b IN ($2, $3)" {
		t.Errorf("numbered as %q", got)
	}
	if got := sqlite.places("a = ?"); got != "a = ?" {
		t.Errorf("SQLite's places became %q", got)
	}
}

package routing

import (
	"os"
	"path/filepath"
	"testing"
)

func TestEmbeddedStore(t *testing.T) {
	storeSuite(t, func(t *testing.T) func() Store {
		path := filepath.Join(t.TempDir(), "routing.db")
		return func() Store { return openStore(t, path) }
	})
}

func openStore(t *testing.T, path string) Store {
	t.Helper()
	s, err := OpenEmbedded(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEmbeddedStoreBeginsAnew: a file that is no store, or one of a layout that
// this program does not know, costs nothing but what it held.
func TestEmbeddedStoreBeginsAnew(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, path string){
		"no database": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("not a database, and long enough to be read as the header of one, which it is not"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"another layout": func(t *testing.T, path string) {
			s := openStore(t, path).(*embedded)
			if _, err := s.db.ExecContext(t.Context(), "DROP TABLE rows; PRAGMA user_version = 99"); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "routing.db")
			spoil(t, path)
			s := openStore(t, path)
			c := Change{Past: Past{Log: "log", Position: 1}, Whole: true, Rows: []Row{{Group: "sales", Kind: kindLoad, Key: "ana", Value: []byte("1")}}}
			if kept, err := s.Save(t.Context(), c); err != nil || kept != 1 {
				t.Errorf("kept %d, %v", kept, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestEmbeddedStoreBesideUs: the data directory may be named from where the
// process stands.
func TestEmbeddedStoreBesideUs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := openStore(t, filepath.Join("data", "routing.db")).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join("data", "routing.db")); err != nil {
		t.Error(err)
	}
}

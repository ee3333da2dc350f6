package keys

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

var morning = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)

// fresh opens a store in a new directory.
func fresh(t *testing.T) *Store {
	t.Helper()
	return reopen(t, filepath.Join(t.TempDir(), "keys.db"))
}

func reopen(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// wantFault checks the kind of a fault.
func wantFault(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Fatalf("got %v fault (%v), want %v", fault.Of(err), err, kind)
	}
}

func mustSealDay(t *testing.T, s *Store, at time.Time, plain, aad string) *leadv1.Sealed {
	t.Helper()
	sealed, err := s.SealDay(at, []byte(plain), []byte(aad))
	if err != nil {
		t.Fatalf("SealDay: %v", err)
	}
	return sealed
}

func mustEnsure(t *testing.T, s *Store, from, to time.Time) {
	t.Helper()
	if err := s.EnsureDays(t.Context(), from, to); err != nil {
		t.Fatalf("EnsureDays: %v", err)
	}
}

func mustOpen(t *testing.T, s *Store, sealed *leadv1.Sealed, aad, want string) {
	t.Helper()
	plain, err := s.Open(t.Context(), sealed, []byte(aad))
	if err != nil {
		t.Fatalf("Open %s: %v", sealed.GetKeyId(), err)
	}
	if string(plain) != want {
		t.Fatalf("Open %s: %q, want %q", sealed.GetKeyId(), plain, want)
	}
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%20", "deep")
	path := filepath.Join(dir, "keys.db")
	s := reopen(t, path)
	mustEnsure(t, s, morning, morning)
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %04o, want 0600", e.Name(), info.Mode().Perm())
		}
	}
	if diff := cmp.Diff([]string{"keys.db", "keys.db-shm", "keys.db-wal", "master.key"}, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if key, err := os.ReadFile(filepath.Join(dir, "master.key")); err != nil || len(key) != 32 {
		t.Errorf("master.key: %d bytes, %v", len(key), err)
	}
}

func TestSettingsHoldOnEveryConnection(t *testing.T) {
	s := fresh(t)
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "secure_delete": "1", "foreign_keys": "1", "temp_store": "2", "busy_timeout": "5000",
	} {
		var write, read string
		if err := s.write.QueryRow("PRAGMA " + name).Scan(&write); err != nil {
			t.Fatal(err)
		}
		if err := s.read.QueryRow("PRAGMA " + name).Scan(&read); err != nil {
			t.Fatal(err)
		}
		if write != want || read != want {
			t.Errorf("%s: writing %q, reading %q, want %q", name, write, read, want)
		}
	}
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations: %v, %v", files, err)
	}
	for i, file := range files {
		if want := "migrations/0000" + string(rune('1'+i)) + "_"; !strings.HasPrefix(file, want) {
			t.Errorf("migration %d is %s, want %s...", i+1, file, want)
		}
	}
}

func TestReopenedStoreOpensWhatWasSealed(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning)
	day := mustSealDay(t, s, morning, "body", "in.1")
	call, err := s.Seal(t.Context(), "call-1", []byte("notes"), []byte("lead.l1"))
	if err != nil {
		t.Fatal(err)
	}
	mac := s.MAC("submission", []byte("x"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, s.path)
	mustOpen(t, again, day, "in.1", "body")
	mustOpen(t, again, call, "lead.l1", "notes")
	if !bytes.Equal(mac, again.MAC("submission", []byte("x"))) {
		t.Error("MAC differs after reopening")
	}
}

func TestClosedStoreSaysSo(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning)
	sealed := mustSealDay(t, s, morning, "x", "")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Open(t.Context(), sealed, nil)
	wantFault(t, err, fault.State)
	_, err = s.Seal(t.Context(), "k", nil, nil)
	wantFault(t, err, fault.State)
	_, err = s.Admit(t.Context(), []Admission{{LeadID: "l", KeyID: "l", SourceID: "s"}})
	wantFault(t, err, fault.State)
	_, err = s.DropDaysBefore(t.Context(), morning)
	wantFault(t, err, fault.State)
	wantFault(t, s.EnsureDays(t.Context(), morning, morning), fault.State)
	wantFault(t, s.Ping(t.Context()), fault.State)
	_, err = s.SealDay(morning, nil, nil)
	wantFault(t, err, fault.Unavailable)
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, path, master string)
		want  fault.Kind
		says  string
	}{
		"a wrong master key": {func(t *testing.T, _, master string) {
			write(t, master, bytes.Repeat([]byte{7}, 32))
		}, fault.Corrupt, "same backup"},
		"a missing master key": {func(t *testing.T, _, master string) {
			if err := os.Remove(master); err != nil {
				t.Fatal(err)
			}
		}, fault.Corrupt, "missing"},
		"a short master key": {func(t *testing.T, _, master string) { write(t, master, []byte("short")) }, fault.Corrupt, "32 bytes"},
		"a long master key": {func(t *testing.T, _, master string) {
			write(t, master, bytes.Repeat([]byte{7}, 33))
		}, fault.Corrupt, "32 bytes"},
		"an empty master key": {func(t *testing.T, _, master string) { write(t, master, nil) }, fault.Corrupt, "32 bytes"},
		"a zeroed master key": {func(t *testing.T, _, master string) { write(t, master, make([]byte, 32)) }, fault.Corrupt, "32 bytes"},
		"a file that is no database": {func(t *testing.T, path, _ string) {
			write(t, path, bytes.Repeat([]byte("no database "), 1000))
		}, fault.Corrupt, "damaged"},
		"a newer schema": {func(t *testing.T, path, _ string) { alter(t, path, "PRAGMA user_version = 99") }, fault.State, "newer"},
		"another program's database": {func(t *testing.T, path, _ string) {
			alter(t, path, "PRAGMA application_id = 1")
		}, fault.State, "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			s := fresh(t)
			master := filepath.Join(filepath.Dir(s.path), "master.key")
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, s.path, master)
			_, err := Open(t.Context(), s.path)
			wantFault(t, err, c.want)
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("text %q does not say %q", err, c.says)
			}
		})
	}
}

func TestOpenRefusesMasterKeyThatOthersMayRead(t *testing.T) {
	s := fresh(t)
	s.Close()
	master := filepath.Join(filepath.Dir(s.path), "master.key")
	for mode, want := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o604: false, 0o620: false, 0o700: false, 0o666: false} {
		if err := os.Chmod(master, mode); err != nil {
			t.Fatal(err)
		}
		again, err := Open(t.Context(), s.path)
		if want {
			if err != nil {
				t.Errorf("mode %04o: %v", mode, err)
				continue
			}
			again.Close()
			continue
		}
		wantFault(t, err, fault.Denied)
	}
}

// An interrupted first start leaves at most a master key without a database
// that knows it, or half of one under the temporary name.
func TestOpenFinishesInterruptedStart(t *testing.T) {
	dir := t.TempDir()
	path, master := filepath.Join(dir, "keys.db"), filepath.Join(dir, "master.key")
	write(t, path, nil)
	write(t, master+".new", []byte("half"))
	s := reopen(t, path)
	if _, err := os.Stat(master + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary file is still there: %v", err)
	}
	before := s.MAC("p")
	s.Close()
	for _, file := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if after := reopen(t, path).MAC("p"); !bytes.Equal(before, after) {
		t.Error("the master key that was there was not used")
	}
}

func TestDamagedPagesAreCorrupt(t *testing.T) {
	s := fresh(t)
	batch := make([]Admission, 200)
	for i := range batch {
		batch[i] = admission(i)
	}
	grants, err := s.Admit(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	raw, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 3 * 4096; i < len(raw); i++ {
		raw[i] ^= 0x5a
	}
	write(t, s.path, raw)
	again, err := Open(t.Context(), s.path)
	if err == nil {
		defer again.Close()
		_, err = again.Open(t.Context(), grants[0].Sealed, batch[0].AAD)
	}
	wantFault(t, err, fault.Corrupt)
}

func TestDamagedKeyIsCorrupt(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning)
	day := mustSealDay(t, s, morning, "x", "")
	one, err := s.Seal(t.Context(), "one", []byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(t.Context(), "two", []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	for _, change := range []string{
		"UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE key_id = 'two') WHERE key_id = 'one'",
		"UPDATE data_keys SET wrapped = x'00' WHERE key_id = 'one'",
	} {
		if _, err := s.write.Exec(change); err != nil {
			t.Fatal(err)
		}
		_, err = s.Open(t.Context(), one, nil)
		wantFault(t, err, fault.Corrupt)
		_, err = s.Seal(t.Context(), "one", nil, nil)
		wantFault(t, err, fault.Corrupt)
	}
	if _, err := s.write.Exec("UPDATE day_keys SET wrapped = zeroblob(60)"); err != nil {
		t.Fatal(err)
	}
	_, err = s.Open(t.Context(), day, nil)
	wantFault(t, err, fault.Corrupt)
	wantFault(t, s.EnsureDays(t.Context(), morning, morning), fault.Corrupt)
}

func TestPingNoticesForeignDatabase(t *testing.T) {
	s := fresh(t)
	if _, err := s.write.Exec("UPDATE meta SET value = zeroblob(32)"); err != nil {
		t.Fatal(err)
	}
	wantFault(t, s.Ping(t.Context()), fault.Corrupt)
}

func TestLockedDatabaseIsUnavailable(t *testing.T) {
	holder := fresh(t)
	s, err := open(t.Context(), holder.path, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	tx, err := holder.write.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()

	_, err = s.Admit(t.Context(), []Admission{admission(1)})
	wantFault(t, err, fault.Unavailable)
	_, err = s.Seal(t.Context(), "k", nil, nil)
	wantFault(t, err, fault.Unavailable)
	wantFault(t, s.EnsureDays(t.Context(), morning, morning), fault.Unavailable)
	_, err = s.DropDaysBefore(t.Context(), morning)
	wantFault(t, err, fault.Unavailable)
	if _, err := open(t.Context(), holder.path, time.Millisecond); !fault.Is(err, fault.Unavailable) {
		t.Errorf("Open: %v", err)
	}

	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Admit(t.Context(), []Admission{admission(1)}); err != nil {
		t.Errorf("after the lock is gone: %v", err)
	}
}

func TestFullDiskIsUnavailableAndHalfKeepsNothing(t *testing.T) {
	s := fresh(t)
	var pages, before int
	if err := s.write.QueryRow("PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	limit(t, s, pages+1)
	batch := make([]Admission, 300)
	for i := range batch {
		batch[i] = admission(i)
	}
	_, err := s.Admit(t.Context(), batch)
	wantFault(t, err, fault.Unavailable)
	if err := s.read.QueryRow("SELECT (SELECT count(*) FROM data_keys) + (SELECT count(*) FROM persons) + (SELECT count(*) FROM match_keys)").Scan(&before); err != nil {
		t.Fatal(err)
	}
	if before != 0 {
		t.Errorf("%d rows of a failed batch were kept", before)
	}
	wantFault(t, s.EnsureDays(t.Context(), morning, morning.AddDate(0, 0, 500)), fault.Unavailable)
	_, err = s.SealDay(morning, nil, nil)
	wantFault(t, err, fault.Unavailable)

	limit(t, s, 1<<20)
	if _, err := s.Admit(t.Context(), batch); err != nil {
		t.Errorf("after space was freed: %v", err)
	}
	mustEnsure(t, s, morning, morning)
}

// limit makes the disk look full at so many pages.
func limit(t *testing.T, s *Store, pages int) {
	t.Helper()
	var got int
	if err := s.write.QueryRow("PRAGMA max_page_count = " + itoa(pages)).Scan(&got); err != nil || got != pages {
		t.Fatalf("max_page_count: %d, %v", got, err)
	}
}

func TestCancelledCallChangesNothing(t *testing.T) {
	s := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Admit(ctx, []Admission{admission(1)})
	wantFault(t, err, fault.Unavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v does not carry its cause", err)
	}
	_, err = s.Seal(ctx, "k", nil, nil)
	wantFault(t, err, fault.Unavailable)
	wantFault(t, s.EnsureDays(ctx, morning, morning), fault.Unavailable)
	var n int
	if err := s.read.QueryRow("SELECT (SELECT count(*) FROM data_keys) + (SELECT count(*) FROM day_keys)").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d keys, %v", n, err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// alter changes a database behind the store's back.
func alter(t *testing.T, path, statement string) {
	t.Helper()
	s := reopen(t, path)
	if _, err := s.write.Exec(statement); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

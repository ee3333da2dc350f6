package keys

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/internal/fault"
)

func TestDayKeysFollowUTCDays(t *testing.T) {
	s := fresh(t)
	east := time.FixedZone("east", 9*60*60)
	from := time.Date(2026, 3, 3, 1, 0, 0, 0, east) // still 2 March in UTC
	mustEnsure(t, s, from, from.Add(24*time.Hour))
	for at, want := range map[time.Time]string{
		from: "day-2026-03-02",
		time.Date(2026, 3, 2, 23, 59, 59, 999999999, time.UTC): "day-2026-03-02",
		time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC):            "day-2026-03-03",
	} {
		if got := mustSealDay(t, s, at, "x", "").GetKeyId(); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
	for _, at := range []time.Time{from.Add(-24 * time.Hour), from.Add(48 * time.Hour), {}} {
		_, err := s.SealDay(at, nil, nil)
		wantFault(t, err, fault.Unavailable)
	}
	before1970 := time.Date(1969, 12, 31, 23, 0, 0, 0, time.UTC)
	mustEnsure(t, s, before1970, before1970)
	if got := mustSealDay(t, s, before1970, "x", "").GetKeyId(); got != "day-1969-12-31" {
		t.Errorf("before 1970: %s", got)
	}
}

func TestEnsureDaysRefusesOddRanges(t *testing.T) {
	s := fresh(t)
	wantFault(t, s.EnsureDays(t.Context(), morning, morning.AddDate(0, 0, -1)), fault.Invalid)
	wantFault(t, s.EnsureDays(t.Context(), morning, morning.AddDate(0, 0, maxDays)), fault.Invalid)
	mustEnsure(t, s, morning, morning.AddDate(0, 0, maxDays-1))
}

func TestDayKeysAreSharedBetweenStores(t *testing.T) {
	a := fresh(t)
	b := reopen(t, a.path)
	mustEnsure(t, a, morning, morning)
	sealed := mustSealDay(t, a, morning, "body", "x")
	mustOpen(t, b, sealed, "x", "body") // b never ensured the day

	_, err := b.SealDay(morning, nil, nil)
	wantFault(t, err, fault.Unavailable)
	mustEnsure(t, b, morning.AddDate(0, 0, -1), morning.AddDate(0, 0, 1))
	mustEnsure(t, a, morning.AddDate(0, 0, -1), morning.AddDate(0, 0, 1))
	for d := -1; d <= 1; d++ {
		at := morning.AddDate(0, 0, d)
		x, y := mustSealDay(t, a, at, "x", ""), mustSealDay(t, b, at, "x", "")
		if !bytes.Equal(x.Commitment, y.Commitment) {
			t.Errorf("%s: two keys for one day", x.GetKeyId())
		}
	}
}

func TestEnsureDaysRace(t *testing.T) {
	a := fresh(t)
	stores := []*Store{a, reopen(t, a.path), a, reopen(t, a.path)}
	var wg sync.WaitGroup
	for i, s := range stores {
		wg.Go(func() {
			if err := s.EnsureDays(t.Context(), morning.AddDate(0, 0, i), morning.AddDate(0, 0, 10)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for d := 3; d <= 10; d++ {
		at := morning.AddDate(0, 0, d)
		want := mustSealDay(t, a, at, "", "").Commitment
		for _, s := range stores {
			if !bytes.Equal(mustSealDay(t, s, at, "", "").Commitment, want) {
				t.Errorf("day %d: two keys", d)
			}
		}
	}
}

func TestSealDayTouchesNoDisk(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning)
	for _, db := range []interface{ Close() error }{s.read, s.write} {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Dir(s.path)); err != nil {
		t.Fatal(err)
	}
	sealed := mustSealDay(t, s, morning, "body", "x")
	plain, err := s.days[dayOf(morning)].open(sealed, []byte("x"))
	if err != nil || string(plain) != "body" {
		t.Errorf("%q, %v", plain, err)
	}
}

func TestDropDaysBefore(t *testing.T) {
	s := fresh(t)
	other := reopen(t, s.path)
	for _, x := range []*Store{s, other} {
		mustEnsure(t, x, morning, morning.AddDate(0, 0, 3))
	}
	old := mustSealDay(t, s, morning.AddDate(0, 0, 1), "body", "")
	kept := mustSealDay(t, s, morning.AddDate(0, 0, 2), "body", "")

	limit := morning.AddDate(0, 0, 2)
	for _, want := range []int{2, 0} {
		n, err := s.DropDaysBefore(t.Context(), limit)
		if err != nil || n != want {
			t.Fatalf("dropped %d, %v; want %d", n, err, want)
		}
	}
	for _, x := range []*Store{s, other} {
		_, err := x.Open(t.Context(), old, nil)
		wantFault(t, err, fault.NotFound)
		mustOpen(t, x, kept, "", "body")
	}
	_, err := s.SealDay(morning, nil, nil)
	wantFault(t, err, fault.Unavailable)

	// A destroyed day gets no second key, and the other store lets go of it.
	wantFault(t, s.EnsureDays(t.Context(), morning, morning.AddDate(0, 0, 5)), fault.State)
	_, err = s.SealDay(morning.AddDate(0, 0, 5), nil, nil)
	wantFault(t, err, fault.Unavailable)
	wantFault(t, other.EnsureDays(t.Context(), morning, morning), fault.State)
	_, err = other.SealDay(morning, nil, nil)
	wantFault(t, err, fault.Unavailable)
	mustEnsure(t, s, limit, morning.AddDate(0, 0, 5))
}

// After the drop no file of the store holds a trace of the key: neither its
// wrapped bytes nor the key.
func TestDropDaysLeavesNoTrace(t *testing.T) {
	s := fresh(t)
	last := morning.AddDate(0, 0, 399)
	// Out of order and in parts, as a clock that is moved would, with other
	// writes between, so that pages fill and split.
	for _, d := range []int{200, 0, 300, 100} {
		mustEnsure(t, s, morning.AddDate(0, 0, d), morning.AddDate(0, 0, d+99))
		batch := make([]Admission, 50)
		for i := range batch {
			batch[i] = admission(d*100 + i)
		}
		if _, err := s.Admit(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	needles := make(map[string][][]byte)
	for d := 0; d < 400; d++ {
		id := dayID(dayOf(morning) + int64(d))
		var wrapped []byte
		if err := s.read.QueryRow("SELECT wrapped FROM day_keys WHERE day = ?", dayOf(morning)+int64(d)).Scan(&wrapped); err != nil {
			t.Fatal(err)
		}
		raw, err := s.secrets.wrap.Open(nil, wrapped[:nonceSize], wrapped[nonceSize:], wrapAAD(id))
		if err != nil {
			t.Fatal(err)
		}
		// A part is a trace as well.
		needles[id] = [][]byte{wrapped[:nonceSize], wrapped[nonceSize : nonceSize+16], wrapped[wrappedSize-tagSize:], raw[:16], raw[16:]}
	}
	traces := func() map[string]bool {
		found := map[string]bool{}
		files := contents(t, filepath.Dir(s.path))
		for id, parts := range needles {
			for _, part := range parts {
				for _, content := range files {
					if bytes.Contains(content, part) {
						found[id] = true
					}
				}
			}
		}
		return found
	}
	if n := len(traces()); n != 400 {
		t.Fatalf("the search finds %d of 400 keys that are there", n)
	}
	if n, err := s.DropDaysBefore(t.Context(), last.AddDate(0, 0, -9)); err != nil || n != 390 {
		t.Fatalf("dropped %d, %v", n, err)
	}
	left := traces()
	if len(left) != 10 {
		t.Errorf("traces of %d keys are left, want those of the 10 living", len(left))
	}
	for d := 390; d < 400; d++ {
		if id := dayID(dayOf(morning) + int64(d)); !left[id] {
			t.Errorf("%s is gone too", id)
		}
	}
}

func TestDropDaysSaysWhenTracesRemain(t *testing.T) {
	holder := fresh(t)
	mustEnsure(t, holder, morning, morning)
	s, err := open(t.Context(), holder.path, time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()

	// A reader in the middle of a transaction keeps the log from being cut.
	tx, err := holder.read.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRow("SELECT count(*) FROM day_keys").Scan(&n); err != nil {
		t.Fatal(err)
	}
	n, err = s.DropDaysBefore(t.Context(), morning.AddDate(0, 0, 1))
	wantFault(t, err, fault.Unavailable)
	if n != 1 {
		t.Errorf("dropped %d, want 1", n)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.DropDaysBefore(t.Context(), morning.AddDate(0, 0, 1)); n != 0 || err != nil {
		t.Errorf("second call: %d, %v", n, err)
	}
	if info, err := os.Stat(s.path + "-wal"); err != nil || info.Size() != 0 {
		t.Errorf("the log is not cut: %v, %v", info, err)
	}
}

// What no remaining day can ask about goes with the days, and nothing else.
func TestDropDaysForgetsBodies(t *testing.T) {
	s := fresh(t)
	boundary := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	at := map[string]time.Time{
		"gone": boundary.Add(-24 * time.Hour),
		"kept": boundary.Add(-24*time.Hour + time.Nanosecond),
		"late": boundary.Add(time.Hour),
	}
	for id, received := range at {
		if _, err := s.Admit(t.Context(), []Admission{{LeadID: id, KeyID: id, SourceID: "web", BodyMAC: s.MAC("body", []byte(id)), ReceivedAt: received}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.DropDaysBefore(t.Context(), boundary.Add(5*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]int{"gone": 0, "kept": 1, "late": 1} {
		var n int
		if err := s.read.QueryRow("SELECT count(*) FROM recent_bodies WHERE lead_id = ?", id).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d rows, %v; want %d", id, n, err, want)
		}
	}
}

func TestDropDaysWhileSealing(t *testing.T) {
	s := fresh(t)
	mustEnsure(t, s, morning, morning.AddDate(0, 0, 1))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	started := make(chan struct{}, 4)
	for range 4 {
		wg.Go(func() {
			for first := true; ctx.Err() == nil; first = false {
				if _, err := s.SealDay(morning.AddDate(0, 0, 1), []byte("x"), nil); err != nil {
					t.Errorf("the living day: %v", err)
					return
				}
				if _, err := s.SealDay(morning, []byte("x"), nil); err != nil && !fault.Is(err, fault.Unavailable) {
					t.Errorf("the dropped day: %v", err)
					return
				}
				if first {
					started <- struct{}{}
				}
			}
		})
	}
	for range 4 {
		<-started
	}
	if n, err := s.DropDaysBefore(t.Context(), morning.AddDate(0, 0, 1)); err != nil || n != 1 {
		t.Errorf("dropped %d, %v", n, err)
	}
	_, err := s.SealDay(morning, []byte("x"), nil)
	wantFault(t, err, fault.Unavailable)
	stop()
	wg.Wait()
}

// contents reads all files of a directory.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

//go:build real

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/intake"
	"github.com/leadbaton/baton/services/internal/clock"
)

// disk mounts a disk of the test's own, of so many MiB. It needs root.
func disk(t *testing.T, size int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", size)); err != nil {
		t.Fatalf("a disk of its own cannot be mounted; this test needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until the disk takes nothing more.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	chunk := make([]byte, 1<<20)
	for len(chunk) > 0 {
		if _, err = file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

// sender posts leads one after the other and remembers which were acknowledged.
type sender struct {
	mu       sync.Mutex
	acked    map[string]string // by key: the submission
	statuses map[int]int
	slowest  time.Duration
}

func (s *sender) post(door, key string) (status int, err error) {
	form := filled(len(key))
	form.Set("message", strings.Repeat("We need this soon. ", 400))
	req, err := http.NewRequest(http.MethodPost, "http://"+door+"/hooks/web", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Idempotency-Key", key)
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[resp.StatusCode]++
	s.slowest = max(s.slowest, time.Since(began))
	switch {
	case resp.StatusCode == http.StatusOK:
		s.acked[key] = resp.Header.Get(intake.HeaderSubmission)
	case resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") == "":
		return 0, errors.New("503 does not say when to come again")
	}
	return resp.StatusCode, nil
}

// load sends until a lead is turned away, by eight at once.
func (s *sender) load(t *testing.T, door, name string) {
	t.Helper()
	var group sync.WaitGroup
	errs := make(chan error, 8)
	for n := range 8 {
		group.Go(func() {
			for i := 0; ; i++ {
				status, err := s.post(door, fmt.Sprintf("%s-%d-%d", name, n, i))
				if err != nil || status != http.StatusOK {
					errs <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestAFullDiskLosesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		// sudden fills the disk at once, before anybody can look; otherwise the
		// leads themselves fill it up to the floor.
		sudden bool
		floor  uint64
	}{{"up to the floor", false, 24}, {"at once to the last byte", true, 1}} {
		t.Run(c.name, func(t *testing.T) {
			dir := disk(t, 64)
			cfg := Config{Data: filepath.Join(dir, "data"), Checkpoints: filepath.Join(t.TempDir(), "points"), FreeFloor: c.floor}
			h := start(t, cfg)
			h.team("ana", "ben", "chloe", "dan")
			h.agree(h.document())
			h.settle()
			s := &sender{acked: map[string]string{}, statuses: map[int]int{}}
			ballast := filepath.Join(dir, "ballast")
			if c.sudden {
				var loading sync.WaitGroup
				loading.Go(func() { s.load(t, h.door, "sudden") })
				for len(s.known()) < 50 {
					if err := clock.Sleep(t.Context(), clock.Real{}, time.Now().Add(time.Millisecond)); err != nil {
						t.Fatal(err)
					}
				}
				fill(t, ballast)
				loading.Wait()
			} else {
				s.load(t, h.door, "slow")
				fill(t, ballast)
			}
			for n := range 3 {
				status, err := s.post(h.door, fmt.Sprintf("full-%d", n))
				if err != nil || status != http.StatusServiceUnavailable {
					t.Errorf("a full disk answers %d, %v", status, err)
				}
			}
			if s.slowest > 15*time.Second {
				t.Errorf("somebody waited %v for an answer", s.slowest)
			}
			if want := fmt.Sprintf("below the floor of %d MiB; free some space", c.floor); !strings.Contains(h.out.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, h.out.String())
			}
			for status := range s.statuses {
				if status != http.StatusOK && status != http.StatusServiceUnavailable {
					t.Errorf("answers by status: %v", s.statuses)
				}
			}
			t.Logf("%d acknowledged, %v by status, slowest %v", len(s.acked), s.statuses, s.slowest)
			if err := h.Stop(t.Context()); err != nil {
				t.Logf("stopped on a full disk: %v", err)
			}

			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			cfg.clock = h.time
			cfg.FreeFloor = 1
			again := start(t, cfg)
			if why := again.App.log.ReadOnly(); why != "" {
				t.Fatalf("it is read-only: %s", why)
			}
			again.settle()
			for key, submission := range s.known() {
				id := intake.Ids{Keys: again.App.keys}.Lead(submission)
				if types := again.types("lead." + id); len(types) < 3 || types[0] != "LeadReceived" {
					t.Errorf("%s was acknowledged, and its lead is %v", key, types)
				}
			}
			if result := whole(t, again); result.Unworked != 0 {
				t.Errorf("%d deliveries are not worked", result.Unworked)
			}
			// It takes leads again.
			if status, err := s.post(again.door, "afterwards"); err != nil || status != http.StatusOK {
				t.Errorf("after the restart: %d, %v", status, err)
			}
		})
	}
}

func (s *sender) known() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]string, len(s.acked))
	for key, submission := range s.acked {
		out[key] = submission
	}
	return out
}

package keys

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func benchStore(b *testing.B) *Store {
	b.Helper()
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "keys.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func benchAdmission(s *Store, n int) Admission {
	id := fmt.Sprintf("lead%d", n)
	a := Admission{
		LeadID: id, KeyID: id, SourceID: "web", Plain: make([]byte, 300), AAD: []byte(id),
		Email: fmt.Sprintf("someone%d@example.com", n), Phone: fmt.Sprintf("+49301%07d", n),
	}
	// Every tenth is like somebody before, as many blocks as a person has.
	plain := fmt.Appendf(nil, "somebody %d of a company", n/10)
	a.Likeness = &Likeness{Plain: plain, JoinAt: 95, SuggestAt: 60, Compare: func(other []byte) (int, []string) { return 70, []string{"name"} }}
	for b := range 6 {
		a.Likeness.Blocks = append(a.Likeness.Blocks, fmt.Sprintf("block %d %d", b, n/10))
	}
	if n%2 == 0 {
		a.BodyMAC, a.ReceivedAt = s.MAC("body", []byte(id)), morning.Add(time.Duration(n)*time.Millisecond)
	}
	return a
}

func BenchmarkAdmit(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			s := benchStore(b)
			n := 0
			for b.Loop() {
				batch := make([]Admission, size)
				for i := range batch {
					batch[i] = benchAdmission(s, n)
					n++
				}
				if _, err := s.Admit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "admissions/s")
		})
	}
}

func BenchmarkSealDay(b *testing.B) {
	s := benchStore(b)
	if err := s.EnsureDays(b.Context(), morning, morning); err != nil {
		b.Fatal(err)
	}
	plain, aad := make([]byte, 600), []byte("in.a/1")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.SealDay(morning, plain, aad); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenDay(b *testing.B) {
	s := benchStore(b)
	if err := s.EnsureDays(b.Context(), morning, morning); err != nil {
		b.Fatal(err)
	}
	sealed, err := s.SealDay(morning, make([]byte, 600), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Open(b.Context(), sealed, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	s := benchStore(b)
	part := make([]byte, 64)
	for b.Loop() {
		s.MAC("submission", part, part)
	}
}

// BenchmarkOpenStore opens a file that holds 10,000 admissions.
func BenchmarkOpenStore(b *testing.B) {
	s := benchStore(b)
	for n := 0; n < 10_000; n += 500 {
		batch := make([]Admission, 500)
		for i := range batch {
			batch[i] = benchAdmission(s, n+i)
		}
		if _, err := s.Admit(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	for b.Loop() {
		again, err := Open(b.Context(), s.path)
		if err != nil {
			b.Fatal(err)
		}
		again.Close()
	}
}

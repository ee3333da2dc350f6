package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFiguresAreMediansAndRatiosOfRounds(t *testing.T) {
	m := &measured{Name: "x", Title: "y"}
	for _, round := range [][2]float64{{100, 50}, {10, 9}, {1000, 200}} {
		m.add("base", "the base", "/s", "base", round[0])
		m.add("ours", "ours", "/s", "base", round[1])
		m.add("alone", "alone", "ms", "", round[1])
		m.want("half", 0.5, 0, quotient(round[1], round[0]))
		m.want("a little", 0, 0.4, quotient(round[1], round[0]))
	}
	m.conclude()
	ours := m.figure("ours")
	if got := []float64{ours.Median, ours.Min, ours.Max, ours.Ratio}; !cmp.Equal(got, []float64{50, 9, 200, 0.5}) {
		t.Errorf("median, least, most and ratio are %v", got)
	}
	if r := m.figure("alone").Ratio; r != 0 {
		t.Errorf("a row without a base has the ratio %v", r)
	}
	if !m.Goals[0].Met || m.Goals[1].Met {
		t.Errorf("at least 0.5 is met by 0.5, at most 0.4 is not: got %v and %v", m.Goals[0].Met, m.Goals[1].Met)
	}
	var out bytes.Buffer
	m.note("once")
	m.note("once")
	if err := m.write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"base\n", "goal: half: 0.500, met", "goal: a little: 0.500, not met", "note: once\n"} {
		if strings.Count(out.String(), want) == 0 {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if n := strings.Count(out.String(), "once"); n != 1 {
		t.Errorf("the note stands there %d times", n)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{4, 2}, 3}, {[]float64{9, 1, 5}, 5}} {
		if got := median(c.values); got != c.want {
			t.Errorf("the median of %v is %v, not %v", c.values, got, c.want)
		}
	}
}

func TestPosterReadsTheDoorsAnswer(t *testing.T) {
	const two = "HTTP/1.1 200 OK\r\nBaton-Submission: s1\r\nContent-Length: 2\r\n\r\n{}" +
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy"
	p := &poster{in: bufio.NewReader(strings.NewReader(two)), refused: map[int]int{}}
	if id, err := p.answer(); err != nil || id != "s1" {
		t.Errorf("the first answer is %q, %v", id, err)
	}
	if _, err := p.answer(); !errors.Is(err, errNotKept) {
		t.Errorf("the second answer is %v", err)
	}
	if diff := cmp.Diff(map[int]int{503: 1}, posters{p}.refused()); diff != "" || p.forever != 1 {
		t.Error(diff, p.forever)
	}
}

func TestPacedStartsEachWhenItIsDue(t *testing.T) {
	var began []time.Time
	l, err := paced(t.Context(), 1, 200, 100*time.Millisecond, func(_ context.Context, _ int, at time.Time) error {
		began = append(began, at)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(began) != 22 || l.done != 20 {
		t.Errorf("started %d and counted %d, want 22 and the 20 after warming up", len(began), l.done)
	}
	if took := began[21].Sub(began[0]); took < 95*time.Millisecond {
		t.Errorf("22 at 200 a second took %v", took)
	}
}

func TestBenchRefusesWhatItCannotMeasure(t *testing.T) {
	for _, line := range []string{"bench walk", "bench --rounds 0", "bench --seconds 0", "bench --leads 0", "bench --burst 0", "bench --cpuprofile x", "bench --format csv", "bench reports --postgres nowhere"} {
		cmd := newRoot("test")
		cmd.AddCommand(benchCommand())
		cmd.SetArgs(strings.Fields(line))
		var usage *usageError
		if err := cmd.ExecuteContext(t.Context()); !errors.As(err, &usage) {
			t.Errorf("baton %s: %v", line, err)
		}
	}
}

// The measurements themselves, as short as they can be: whatever the figures,
// nothing may be lost or refused on the way.
func TestMeasurements(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := &bench{rounds: 1, length: 200 * time.Millisecond, burst: 300 * time.Millisecond, leads: 100, replay: 100, progress: io.Discard}
	var out bytes.Buffer
	if err := b.run(t.Context(), &out, formatTable, []string{"burst", "assign", "replay"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nburst: ", "asked to come again", "\nassign: ", "\nreplay: ", "acknowledgement", "to the tables of the reports, p99", "decisions made again"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "note:") {
		t.Errorf("something went wrong while it measured:\n%s", out.String())
	}
}

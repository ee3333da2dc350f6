package console

import (
	"strings"
	"testing"
	"time"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 ms", 250 * time.Millisecond: "250 ms", time.Second: "1 s", 90 * time.Second: "1 min 30 s", time.Hour: "1 h",
		72 * time.Minute: "1 h 12 min", time.Hour + 5*time.Second: "1 h", 26 * time.Hour: "1 d 2 h", 400 * 24 * time.Hour: "400 d",
		-72 * time.Minute: "1 h 12 min", 59*time.Minute + 59*time.Second + 600*time.Millisecond: "1 h",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestAway(t *testing.T) {
	for d, want := range map[time.Duration]string{
		72 * time.Minute: "in 1 h 12 min", -3 * time.Minute: "3 min ago", 10 * time.Millisecond: "now",
	} {
		if got := away(at.Add(d), at); got != want {
			t.Errorf("away(%v) = %q, want %q", d, got, want)
		}
	}
	if got := away(time.Time{}, at); got != "" {
		t.Errorf("no instant is %q away", got)
	}
}

func TestStampNamesTheZone(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	got := string(stamp(time.Date(2026, 3, 4, 11, 15, 30, 5e6, berlin)))
	if want := `<time datetime="2026-03-04T10:15:30.005Z">2026-03-04 10:15:30 UTC</time>`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if stamp(time.Time{}) != "–" {
		t.Error("no instant has a stamp")
	}
}

func TestGrouped(t *testing.T) {
	for in, want := range map[string]string{"0": "0", "999": "999", "1000": "1,000", "-1234567": "-1,234,567", "100000": "100,000"} {
		if got := grouped(in); got != want {
			t.Errorf("grouped(%s) = %s", in, got)
		}
	}
}

func TestLabel(t *testing.T) {
	for in, want := range map[string]string{"mql": "MQL", "received": "Received", "mql_to_sql_rate": "MQL to SQL rate", "mean_seconds": "Mean", "": ""} {
		if got := label(in); got != want {
			t.Errorf("label(%s) = %s", in, got)
		}
	}
}

// An end of an interval is shown with its rate; a column that only looks like
// one stands for itself.
func TestIntervalsBelongToTheirRate(t *testing.T) {
	r := &feedbackv1.Report{Columns: []*feedbackv1.Column{
		{Name: "rate", Unit: "ratio"}, {Name: "rate_low", Unit: "ratio"}, {Name: "rate_high", Unit: "ratio"}, {Name: "stock_low", Unit: "leads"},
	}}
	cols := columnsOf(r)
	if len(cols) != 2 || cols[0].Name != "rate" || cols[1].Name != "stock_low" {
		t.Errorf("columns %v", cols)
	}
	c := cellOf(rowFrom("x", r.GetColumns(), 0.5, 0.25, 0.75), cols[0])
	if c.Beside != "25.0–75.0 %" || c.Text != `<data value="0.5">50.0 %</data>` {
		t.Errorf("cell %v", c)
	}
	if c := cellOf(rowFrom("x", r.GetColumns()), cols[0]); !c.Unknown || c.Beside != "" {
		t.Errorf("a figure that is unknown is shown as %v", c)
	}
}

// A sum of fractions that should be nothing is shown as nothing.
func TestFiguresAreNeverMinusNothing(t *testing.T) {
	for v, want := range map[float64]string{-1e-12: ">0.00<", -0.004: ">0.00<", -0.006: ">-0.01<", 2.675: ">2.68<"} {
		if got := string(shown(v, unitNumber)); !strings.Contains(got, want) {
			t.Errorf("%v is shown as %s; want %s", v, got, want)
		}
	}
}

func TestHours(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 min", 30 * time.Minute: "30 min", 72 * time.Hour: "72 h", 8*time.Hour + 5*time.Minute + 59*time.Second: "8 h 5 min"} {
		if got := hours(d); got != want {
			t.Errorf("hours(%v) = %q; want %q", d, got, want)
		}
	}
}

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// measured is what one measurement found.
type measured struct {
	Name    string    `json:"name"`
	Title   string    `json:"title"`
	Figures []*figure `json:"figures"`
	Goals   []*goal   `json:"goals"`
	Notes   []string  `json:"notes"`
}

// figure is one row: a value from each round. Its ratio is the median of its
// ratios to the base of the same rounds.
type figure struct {
	Key    string    `json:"key"`
	Text   string    `json:"text"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	// Base is the key of the row that Ratio refers to; its own key = it is the
	// base of others; empty = it stands for itself.
	Base  string  `json:"base,omitempty"`
	Ratio float64 `json:"ratio,omitempty"`
	// Spent is the processor time of each round in ms, where it is told.
	Spent []float64 `json:"processor_ms,omitempty"`
}

// goal is what we want a ratio to be. Nothing fails on it.
type goal struct {
	Text string `json:"text"`
	// Least and Most are what the ratio may be; one of them is set.
	Least  float64   `json:"at_least,omitempty"`
	Most   float64   `json:"at_most,omitempty"`
	Ratios []float64 `json:"ratios"`
	Ratio  float64   `json:"ratio"`
	Met    bool      `json:"met"`
}

// add appends one round's value to a row, which comes into being with its first.
func (m *measured) add(key, text, unit, base string, value float64) {
	f := m.figure(key)
	if f == nil {
		f = &figure{Key: key, Text: text, Unit: unit, Base: base}
		m.Figures = append(m.Figures, f)
	}
	f.Values = append(f.Values, value)
}

func (m *measured) figure(key string) *figure {
	i := slices.IndexFunc(m.Figures, func(f *figure) bool { return f.Key == key })
	if i < 0 {
		return nil
	}
	return m.Figures[i]
}

// want appends one round's ratio to a goal.
func (m *measured) want(text string, least, most, ratio float64) {
	i := slices.IndexFunc(m.Goals, func(g *goal) bool { return g.Text == text })
	if i < 0 {
		i = len(m.Goals)
		m.Goals = append(m.Goals, &goal{Text: text, Least: least, Most: most})
	}
	m.Goals[i].Ratios = append(m.Goals[i].Ratios, ratio)
}

func (m *measured) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(m.Notes, text) {
		m.Notes = append(m.Notes, text)
	}
}

// conclude turns the rounds into medians and ratios.
func (m *measured) conclude() {
	for _, f := range m.Figures {
		f.Median, f.Min, f.Max = median(f.Values), slices.Min(f.Values), slices.Max(f.Values)
		if base := m.figure(f.Base); base != nil && base != f {
			f.Ratio = median(ratios(f.Values, base.Values))
		}
	}
	for _, g := range m.Goals {
		g.Ratio = median(g.Ratios)
		g.Met = g.Ratio >= g.Least
		if g.Most > 0 {
			g.Met = g.Ratio <= g.Most
		}
	}
}

func ratios(of, to []float64) []float64 {
	var out []float64
	for i := range min(len(of), len(to)) {
		out = append(out, quotient(of[i], to[i]))
	}
	return out
}

func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median of a few values; of an even number, the mean of the two in the middle.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// amount writes a figure with as many digits as mean something.
func amount(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return grouped(int64(math.Round(v)))
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func (m *measured) write(out io.Writer) error {
	fmt.Fprintf(out, "\n%s: %s\n\n", m.Name, m.Title)
	t := table{head: []string{"", "median", "least", "most", "unit", "ratio"}}
	spent := slices.ContainsFunc(m.Figures, func(f *figure) bool { return len(f.Spent) > 0 })
	if spent {
		t.head = append(t.head, "processor")
	}
	for _, f := range m.Figures {
		ratio := ""
		switch {
		case f.Base == f.Key:
			ratio = "base"
		case f.Ratio != 0:
			ratio = amount(f.Ratio)
		}
		cells := []string{f.Text, amount(f.Median), amount(f.Min), amount(f.Max), f.Unit, ratio}
		if spent {
			processor := ""
			if len(f.Spent) > 0 {
				processor = amount(median(f.Spent)) + " ms"
			}
			cells = append(cells, processor)
		}
		t.add(cells...)
	}
	if err := t.write(indented{out}); err != nil {
		return err
	}
	for _, g := range m.Goals {
		met := "not met"
		if g.Met {
			met = "met"
		}
		fmt.Fprintf(out, "\n  goal: %s: %s, %s", g.Text, amount(g.Ratio), met)
	}
	if len(m.Goals) > 0 {
		fmt.Fprintln(out)
	}
	for _, n := range m.Notes {
		fmt.Fprintf(out, "\n  note: %s", strings.ReplaceAll(plain(n), "\n", " "))
	}
	if len(m.Notes) > 0 {
		fmt.Fprintln(out)
	}
	return nil
}

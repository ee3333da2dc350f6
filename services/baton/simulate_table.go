package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// simRow is one figure of both plays.
type simRow struct {
	name string
	text func(simResult) string
}

func writeSimulation(out io.Writer, cfg simulation, results []simResult) error {
	if cfg.format == formatJSON {
		return writeSimulationJSON(out, cfg, results)
	}
	share := func(n func(simResult) int) func(simResult) string {
		return func(r simResult) string {
			if r.handed == 0 {
				return "unknown"
			}
			return fmt.Sprintf("%s (%.0f %%)", grouped(int64(n(r))), 100*float64(n(r))/float64(r.handed))
		}
	}
	span := func(d func(simResult) time.Duration) func(simResult) string {
		return func(r simResult) string {
			if !r.answered {
				return "unknown"
			}
			return minutes(d(r))
		}
	}
	count := func(n func(simResult) int) func(simResult) string {
		return func(r simResult) string { return grouped(int64(n(r))) }
	}
	rows := []simRow{
		{name: "leads", text: count(func(r simResult) int { return r.leads })},
		{name: "handed over to sales", text: count(func(r simResult) int { return r.handed })},
		{name: "called within 1 h", text: share(func(r simResult) int { return r.upTo1h })},
		{name: "called within 1 to 24 h", text: share(func(r simResult) int { return r.from1hTo24h })},
		{name: "called later", text: share(func(r simResult) int { return r.over24h })},
		{name: "never called", text: share(func(r simResult) int { return r.never })},
		{name: "mean", text: span(func(r simResult) time.Duration { return r.mean })},
		{name: "median", text: span(func(r simResult) time.Duration { return r.median })},
		{name: "nine of ten within", text: span(func(r simResult) time.Duration { return r.p90 })},
		{name: "offers", text: count(func(r simResult) int { return r.offers })},
		{name: "offers that ran out", text: count(func(r simResult) int { return r.timedOut })},
		{name: "declined", text: count(func(r simResult) int { return r.declined })},
		{name: "reminders", text: count(func(r simResult) int { return r.reminded })},
		{name: "escalations", text: count(func(r simResult) int { return r.escalated })},
		{name: "called as a manager asked", text: count(func(r simResult) int { return r.asked })},
		{name: "moved by a manager", text: count(func(r simResult) int { return r.moved })},
	}
	t := table{head: []string{""}}
	for _, r := range results {
		t.head = append(t.head, strings.ToUpper(r.name))
	}
	for _, row := range rows {
		line := []string{row.name}
		for _, r := range results {
			line = append(line, row.text(r))
		}
		t.add(line...)
	}
	if err := t.write(out); err != nil {
		return err
	}
	fmt.Fprint(out, "\nWhat each buys, against the column before it:\n\n")
	if err := bought(results).write(out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s from %s, seed %d. Times run from receipt to the first call by the clock on the wall, nights and\nweekends included; mean, median and nine of ten are of the leads called within 30 days. All columns\nare the same leads and people, who do the same with the same lead; but who gets which lead differs,\nso look at several seeds before you believe in a few leads. A mean gets later where leads are called\nlate that were never called before. Managers act on %d of a hundred\nleads that they are told of, after %s on average.\n",
		counted(int64(cfg.days), "day", "days"), cfg.start.Format("Monday 2006-01-02"), cfg.seed, cfg.acts, minutes(cfg.delay))
	return err
}

// bought is what each play has more, or less, than the one before.
func bought(results []simResult) *table {
	t := table{head: []string{""}}
	lines := [][]string{{"called within 1 h"}, {"called within 24 h"}, {"never called"}, {"mean"}, {"nine of ten within"}}
	for i, r := range results {
		if i == 0 {
			continue
		}
		t.head = append(t.head, strings.ToUpper(r.buys))
		before := results[i-1]
		leads := func(now, then int) string {
			if now == then {
				return "the same"
			}
			return fmt.Sprintf("%+d %s", now-then, map[bool]string{true: "lead", false: "leads"}[now-then == 1 || then-now == 1])
		}
		times := func(now, then time.Duration) string {
			switch d := (now - then).Round(time.Minute); {
			case !r.answered || !before.answered:
				return "unknown"
			case d == 0:
				return "the same"
			case d < 0:
				return minutes(-d) + " sooner"
			default:
				return minutes(d) + " later"
			}
		}
		for j, text := range []string{
			leads(r.upTo1h, before.upTo1h), leads(r.upTo1h+r.from1hTo24h, before.upTo1h+before.from1hTo24h), leads(r.never, before.never),
			times(r.mean, before.mean), times(r.p90, before.p90),
		} {
			lines[j] = append(lines[j], text)
		}
	}
	for _, line := range lines {
		t.add(line...)
	}
	return &t
}

// minutes is a time in hours and minutes.
func minutes(d time.Duration) string {
	if d = d.Round(time.Minute); d == 0 {
		return "0m"
	}
	return strings.TrimSuffix(d.String(), "0s")
}

func writeSimulationJSON(out io.Writer, cfg simulation, results []simResult) error {
	type side struct {
		Name          string   `json:"name"`
		Leads         int      `json:"leads"`
		HandedOver    int      `json:"handed_over"`
		UpTo1h        int      `json:"up_to_1h"`
		From1hTo24h   int      `json:"from_1h_to_24h"`
		Over24h       int      `json:"over_24h"`
		Never         int      `json:"never"`
		MeanSeconds   *float64 `json:"mean_seconds"`
		MedianSeconds *float64 `json:"median_seconds"`
		P90Seconds    *float64 `json:"p90_seconds"`
		Offers        int      `json:"offers"`
		TimedOut      int      `json:"timed_out"`
		Declined      int      `json:"declined"`
		Reminders     int      `json:"reminders"`
		Escalations   int      `json:"escalations"`
		Asked         int      `json:"called_as_a_manager_asked"`
		Moved         int      `json:"moved_by_a_manager"`
	}
	whole := struct {
		From string `json:"from"`
		Days int    `json:"days"`
		Seed uint64 `json:"seed"`
		// Acts is of a hundred leads, Delay in seconds.
		Acts  int     `json:"manager_acts"`
		Delay float64 `json:"manager_delay_seconds"`
		Plays []side  `json:"plays"`
	}{cfg.start.Format(time.RFC3339), cfg.days, cfg.seed, cfg.acts, cfg.delay.Seconds(), nil}
	for _, r := range results {
		one := side{
			Name: r.name, Leads: r.leads, HandedOver: r.handed, UpTo1h: r.upTo1h, From1hTo24h: r.from1hTo24h, Over24h: r.over24h, Never: r.never,
			Offers: r.offers, TimedOut: r.timedOut, Declined: r.declined, Reminders: r.reminded, Escalations: r.escalated, Asked: r.asked, Moved: r.moved,
		}
		if r.answered {
			mean, median, p90 := r.mean.Seconds(), r.median.Seconds(), r.p90.Seconds()
			one.MeanSeconds, one.MedianSeconds, one.P90Seconds = &mean, &median, &p90
		}
		whole.Plays = append(whole.Plays, one)
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(whole)
}

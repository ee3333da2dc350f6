package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/agreement"
)

// played is a simulation as a program reads it.
type played struct {
	Plays []struct {
		Name                                                                                                       string
		Leads, HandedOver, UpTo1h, From1hTo24h, Over24h, Never, Offers, TimedOut, Declined, Reminders, Escalations int
		MeanSeconds                                                                                                *float64
	}
}

func simulated(t *testing.T, change func(*simulation)) (string, played) {
	t.Helper()
	cfg := simulation{rate: 14, days: 2, seed: 5, format: formatJSON}
	if err := cfg.read("", "", ""); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	var out bytes.Buffer
	if err := simulate(t.Context(), &out, io.Discard, cfg); err != nil {
		t.Fatal(err)
	}
	var p played
	text := strings.NewReplacer("_", "").Replace(out.String())
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return out.String(), p
}

// The same leads and people, with and without clocks: nothing is lost in either, and
// what runs out reaches somebody who answers.
func TestClocksBuyAnswers(t *testing.T) {
	first, p := simulated(t, nil)
	clocks, without := p.Plays[0], p.Plays[1]
	for _, one := range p.Plays {
		if one.Leads != 28 || one.HandedOver == 0 || one.UpTo1h+one.From1hTo24h+one.Over24h+one.Never != one.HandedOver {
			t.Errorf("%s: the leads do not add up: %+v", one.Name, one)
		}
	}
	if without.TimedOut != 0 || without.Offers != without.HandedOver {
		t.Errorf("without clocks %d offers ran out, and %d were made of %d leads", without.TimedOut, without.Offers, without.HandedOver)
	}
	if clocks.TimedOut == 0 || clocks.Never >= without.Never || *clocks.MeanSeconds >= *without.MeanSeconds {
		t.Errorf("the clocks bought nothing: %+v against %+v", clocks, without)
	}
	again, _ := simulated(t, nil)
	if again != first {
		t.Errorf("the same seed played another week:\n%s\n%s", first, again)
	}
}

func TestSimulationReadsItsFiles(t *testing.T) {
	people, err := readPeople(strings.NewReader("person,within_1h,declines,away_from,away_until\nana,45,10,,\nben,0,0,2,3\n"))
	if err != nil || len(people) != 2 {
		t.Fatal(people, err)
	}
	want := ordinary
	want.handle, want.withinHour, want.awayFrom, want.awayUntil = "ben", 0, 2, 3
	if people[1] != want {
		t.Errorf("got %+v, want %+v", people[1], want)
	}
	for text, says := range map[string]string{
		"":                            `one of them "person"`,
		"name\nana\n":                 `line 1: there is no column "name"`,
		"person\n":                    "no lines below it",
		"person\nana\n":               "at least two people",
		"person\nana\nana\n":          "line 3: ana is there twice",
		"person\nAna Lund\nben\n":     `line 2: "Ana Lund" is not a handle`,
		"person,sits\nana,x\nben,1\n": `line 2: sits is "x"`,
		"person,within_1h,later\nana,90,20\nben,1,1\n":      "make 128 of a hundred",
		"person,away_from,away_until\nana,5,3\nben,1,1\n":   "away until day 3, before day 5",
		"person,away_from,away_until\nana,70,80\nben,1,1\n": "from 0 to 60",
	} {
		if _, err := readPeople(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	leads, err := readLeads(strings.NewReader("received_at,email\n2027-03-01T10:00:00+01:00,b@b.example\n2027-03-01T08:00:00Z,a@a.example\n2027-03-01T09:00:00Z,c@c.example\n"))
	if err != nil || len(leads) != 3 {
		t.Fatal(leads, err)
	}
	at := func(hour, second int) time.Time { return time.Date(2027, 3, 1, hour, 0, second, 0, time.UTC) }
	for i, when := range []time.Time{at(8, 0), at(9, 0), at(9, 1)} {
		if !leads[i].at.Equal(when) {
			t.Errorf("lead %d comes at %v, want %v", i, leads[i].at, when)
		}
	}
	if _, err := readLeads(strings.NewReader("received_at,email\nyesterday,b@b.example\n")); err == nil || !strings.Contains(err.Error(), `line 2: received_at is "yesterday"`) {
		t.Error(err)
	}
}

// Without clocks, an agreement says all that it said, and no times.
func TestAgreementWithoutClocks(t *testing.T) {
	s := newStage(monday, io.Discard)
	source := agreement.Starter(agreement.StarterParams{})
	for _, clocks := range []bool{true, false} {
		doc, err := playable(source, s.public(agreement.Marketing), s.public(agreement.Sales), clocks)
		if err != nil {
			t.Fatal(err)
		}
		a, err := agreement.Compile(doc)
		if err != nil {
			t.Fatal(err)
		}
		if !s.public(agreement.Sales).Equal(a.PartyKey(agreement.Sales)) {
			t.Error("the play could not sign it")
		}
		for _, p := range a.Pools() {
			if long := p.TakeWithin > 300*24*time.Hour; long == clocks {
				t.Errorf("with clocks %v, somebody has %v to take a lead", clocks, p.TakeWithin)
			}
		}
	}
}

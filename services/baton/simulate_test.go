package main

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/leadbaton/baton/services/agreement"
)

// played is a simulation as a program reads it.
type played struct {
	Plays []simPlayed
}

type simPlayed struct {
	Name                                                                                                       string
	Leads, HandedOver, UpTo1h, From1hTo24h, Over24h, Never, Offers, TimedOut, Declined, Reminders, Escalations int
	Asked                                                                                                      int `json:"calledasamanagerasked"`
	Moved                                                                                                      int `json:"movedbyamanager"`
	MeanSeconds                                                                                                *float64
}

// by is the play of that name.
func (p played) by(t *testing.T, name string) simPlayed {
	t.Helper()
	i := slices.IndexFunc(p.Plays, func(one simPlayed) bool { return one.Name == name })
	if i < 0 {
		t.Fatalf("there is no play %q: %+v", name, p.Plays)
	}
	return p.Plays[i]
}

// someWeek is a short week with the people whom Baton brings.
func someWeek(t *testing.T, rate, days int) simulation {
	t.Helper()
	cfg := simulation{rate: rate, days: days, seed: 5, acts: managerActs, delay: managerDelay, format: formatJSON}
	if err := cfg.read("", "", ""); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func simulated(t *testing.T, cfg simulation) played {
	t.Helper()
	var out bytes.Buffer
	if err := simulate(t.Context(), &out, io.Discard, cfg); err != nil {
		t.Fatal(err)
	}
	var p played
	text := strings.NewReplacer("_", "").Replace(out.String())
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// The same leads and people, with and without clocks: nothing is lost in any play, and
// what runs out reaches somebody who answers.
func TestClocksBuyAnswers(t *testing.T) {
	cfg := someWeek(t, 14, 2)
	p := simulated(t, cfg)
	for _, one := range p.Plays {
		if one.Leads != 28 || one.HandedOver == 0 || one.UpTo1h+one.From1hTo24h+one.Over24h+one.Never != one.HandedOver {
			t.Errorf("%s: the leads do not add up: %+v", one.Name, one)
		}
	}
	clocks, without, timeOuts, reminders := p.by(t, "with clocks"), p.by(t, "without"), p.by(t, "time-outs"), p.by(t, "and reminders")
	if without.TimedOut != 0 || without.Offers != without.HandedOver {
		t.Errorf("without clocks %d offers ran out, and %d were made of %d leads", without.TimedOut, without.Offers, without.HandedOver)
	}
	if clocks.TimedOut == 0 || clocks.Never >= without.Never || *clocks.MeanSeconds >= *without.MeanSeconds {
		t.Errorf("the clocks bought nothing: %+v against %+v", clocks, without)
	}
	if timeOuts.TimedOut == 0 || timeOuts.Reminders != 0 || reminders.Reminders == 0 || reminders.Escalations != 0 || clocks.Reminders == 0 {
		t.Errorf("a play has what is not its own, or lacks it: time-outs %+v, reminders %+v", timeOuts, reminders)
	}
	again, err := playWeek(t.Context(), io.Discard, cfg, simPlays[3])
	if err != nil {
		t.Fatal(err)
	}
	if again.mean.Seconds() != *clocks.MeanSeconds || again.upTo1h != clocks.UpTo1h || again.never != clocks.Never || again.offers != clocks.Offers ||
		again.reminded != clocks.Reminders || again.escalated != clocks.Escalations || again.asked != clocks.Asked || again.moved != clocks.Moved {
		t.Errorf("the same seed played another week:\n%+v\n%+v", again, clocks)
	}
}

// Everybody sits on everything and nobody of them does what they are asked: what is
// called is called because a manager moved it to somebody who does.
//
// Goes red if: nothing happens when a manager is told (week.manage), or a manager acts
// however few they act on.
func TestManagersActOnWhatTheyAreTold(t *testing.T) {
	sitting := func(acts, asked int) simResult {
		cfg := someWeek(t, 10, 1)
		cfg.acts = acts
		for i := range cfg.people {
			p := &cfg.people[i]
			p.withinHour, p.withinDay, p.later, p.reminded, p.asked, p.sits = 100, 0, 0, 0, asked, 100
			if p.handle == "ben" || p.handle == "hal" {
				p.sits = 0
			}
		}
		// The owner is not told, so that nobody but managers asks.
		cfg.document = bytes.Replace(cfg.document, []byte("tell: [owner, manager]"), []byte("tell: [gina]"), 1)
		r, err := playWeek(t.Context(), io.Discard, cfg, simPlays[3])
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	none, moved, asked := sitting(0, 100), sitting(100, 0), sitting(100, 100)
	for what, one := range map[string]struct {
		simResult
		moves, asks bool
	}{
		"managers who never act": {none, false, false}, "people who do not do what is asked": {moved, true, false}, "people who do": {asked, false, true},
	} {
		if one.escalated == 0 || one.moves != (one.moved > 0) || one.asks != (one.asked > 0) {
			t.Errorf("%s: %d escalations, %d moved, %d asked", what, one.escalated, one.moved, one.asked)
		}
	}
	if none.never == 0 || moved.never >= none.never || asked.never != 0 {
		t.Errorf("of %d leads, %d are never called where managers do not act, %d where they move leads, %d where people do what they ask", none.handed, none.never, moved.never, asked.never)
	}
}

// What each time buys stands below the figures, and so does what managers are taken
// to do.
func TestSimulationSaysWhatEachBuys(t *testing.T) {
	results := []simResult{
		{simPlay: simPlays[0], handed: 10, upTo1h: 2, from1hTo24h: 1, never: 5, answered: true, mean: 50 * time.Hour, p90: 90 * time.Hour},
		{simPlay: simPlays[1], handed: 10, upTo1h: 3, from1hTo24h: 3, never: 2, answered: true, mean: 9*time.Hour + 30*time.Minute, p90: 20 * time.Hour},
		{simPlay: simPlays[2], handed: 10, upTo1h: 3, from1hTo24h: 3, never: 2, answered: true, mean: 9*time.Hour + 30*time.Minute, p90: 20 * time.Hour},
		{simPlay: simPlays[3], handed: 10, upTo1h: 2, from1hTo24h: 5, never: 1, answered: true, mean: 10 * time.Hour, p90: 20 * time.Hour, escalated: 4, asked: 3, moved: 1},
	}
	var out bytes.Buffer
	cfg := simulation{days: 2, seed: 5, acts: 70, delay: 45 * time.Minute, start: monday, format: formatTable}
	if err := writeSimulation(&out, cfg, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{
		"WITHOUT TIME-OUTS AND REMINDERS WITH CLOCKS", "escalations 0 0 0 4", "called as a manager asked 0 0 0 3", "moved by a manager 0 0 0 1",
		"What each buys, against the column before it: TIME-OUTS REMINDERS ESCALATION called within 1 h +1 lead the same -1 lead called within 24 h +3 leads the same +1 lead never called -3 leads the same -1 lead",
		"mean 40h30m sooner the same 30m later nine of ten within 70h0m sooner the same the same",
		"Managers act on 70 of a hundred leads that they are told of, after 45m on average.",
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
}

// Who is in which pool can stand in the file of people.
func TestPeopleAreSeatedInTheirPools(t *testing.T) {
	source := agreement.Starter(agreement.StarterParams{Members: []string{"ana", "ben", "chloe"}})
	source = bytes.Replace(source, []byte("- member: ana\n"), []byte("- {member: ana, weight: 3}\n"), 1)
	keys := newStage(monday, io.Discard)
	seats := func(people ...simPerson) (map[string][]agreement.PoolMember, error) {
		doc, err := playable(source, keys.public(agreement.Marketing), keys.public(agreement.Sales), simPlays[3])
		if err == nil {
			doc, err = seated(doc, people)
		}
		if err != nil {
			return nil, err
		}
		a, err := agreement.Compile(doc)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]agreement.PoolMember{}
		for _, p := range a.Pools() {
			out[p.ID] = p.Members
		}
		return out, nil
	}
	handles := func(members []agreement.PoolMember) (out []string) {
		for _, m := range members {
			out = append(out, m.Member)
		}
		return out
	}
	as, err := seats(simPerson{handle: "ana"}, simPerson{handle: "ben"})
	if err != nil || len(as["inside-sales"]) < 2 {
		t.Fatal(as, err)
	}
	got, err := seats(simPerson{handle: "dan", pools: "inside-sales"}, simPerson{handle: "ana", pools: "inside-sales"}, simPerson{handle: "ben"})
	if err != nil {
		t.Fatal(err)
	}
	if inside := got["inside-sales"]; !slices.Equal(handles(inside), []string{"dan", "ana"}) || inside[0].Weight != 1 || inside[1].Weight != 3 {
		t.Errorf("in the pool that the file names are %+v", inside)
	}
	if !slices.Equal(handles(got["large-companies"]), handles(as["large-companies"])) {
		t.Errorf("in the pool that nobody names are %v; want %v", handles(got["large-companies"]), handles(as["large-companies"]))
	}
	if _, err := seats(simPerson{handle: "ana", pools: "inside"}); err == nil || !strings.Contains(err.Error(), `the pool "inside", in which ana is; the agreement has inside-sales, large-companies`) {
		t.Error(err)
	}
}

func TestSimulationReadsItsFiles(t *testing.T) {
	people, err := readPeople(strings.NewReader("person,within_1h,declines,away_from,away_until,pools\nana,45,10,,,\nben,0,0,2,3, inside-sales  large-companies\n"))
	if err != nil || len(people) != 2 {
		t.Fatal(people, err)
	}
	want := ordinary
	want.handle, want.withinHour, want.awayFrom, want.awayUntil, want.pools = "ben", 0, 2, 3, "inside-sales large-companies"
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

// An agreement says all that it said, with those times alone that the play has.
func TestAgreementOfEachPlay(t *testing.T) {
	s := newStage(monday, io.Discard)
	source := withExampleClock(agreement.Starter(agreement.StarterParams{}))
	for _, play := range simPlays {
		doc, err := playable(source, s.public(agreement.Marketing), s.public(agreement.Sales), play)
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
			if short, reminds := p.TakeWithin < 300*24*time.Hour, p.RemindBefore > 0; short != play.timeOuts || reminds != play.reminders {
				t.Errorf("%s: somebody has %v to take a lead, and is reminded %v before", play.name, p.TakeWithin, p.RemindBefore)
			}
		}
		if len(a.Clocks()) != 1 {
			t.Fatalf("%s: there are %d clocks, want the starter's example", play.name, len(a.Clocks()))
		}
		if c := a.Clocks()[0]; (c.RemindBefore > 0) != play.reminders || (len(c.Steps) > 0) != play.escalation {
			t.Errorf("%s: the clock reminds %v before and has %d steps", play.name, c.RemindBefore, len(c.Steps))
		}
	}
}

package main

import (
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// simPerson is how somebody works, in percent.
type simPerson struct {
	handle                                                        string
	withinHour, withinDay, later, declines, reminded, sits, asked int
	// awayFrom and awayUntil are days from 1, both away; 0 = never.
	awayFrom, awayUntil int
	// pools are the ids of the pools they are in, separated by blanks; empty = those in
	// which the agreement has them.
	pools string
}

// ordinary is what a column says that is left out: nine of ten of those who take a lead
// call as well, so that of a hundred leads 37 are called within an hour, 16 within a
// day, 24 later and 23 never.
var ordinary = simPerson{withinHour: 41, withinDay: 18, later: 27, reminded: 30, sits: 10, asked: 80}

// defaultPeople are eight people who together are ordinary, and no two alike.
func defaultPeople() []simPerson {
	make8 := func(handle string, hour, day, later, reminded, sits int) simPerson {
		p := ordinary
		p.handle, p.withinHour, p.withinDay, p.later, p.reminded, p.sits = handle, hour, day, later, reminded, sits
		return p
	}
	return []simPerson{
		make8("ana", 70, 15, 10, 60, 3), make8("ben", 60, 20, 15, 40, 6), make8("chloe", 0, 0, 23, 5, 20), make8("dan", 28, 27, 40, 15, 14),
		make8("eva", 30, 20, 45, 20, 12), make8("finn", 40, 22, 33, 30, 10), make8("gro", 45, 20, 30, 30, 9), make8("hal", 55, 20, 20, 40, 6),
	}
}

// columns of the file of people, in order, after the person.
func (p *simPerson) columns() map[string]*int {
	return map[string]*int{
		"within_1h": &p.withinHour, "within_24h": &p.withinDay, "later": &p.later, "declines": &p.declines,
		"reminded": &p.reminded, "sits": &p.sits, "asked": &p.asked, "away_from": &p.awayFrom, "away_until": &p.awayUntil,
	}
}

var handlePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// readPeople reads the file of people; a fault names line and column.
func readPeople(in io.Reader) ([]simPerson, error) {
	var out []simPerson
	err := eachRow(in, "person", func(line int, row map[string]string) error {
		p := ordinary
		p.handle = row["person"]
		if !handlePattern.MatchString(p.handle) {
			return fmt.Errorf("line %d: %q is not a handle: lower-case letters, digits, dot, hyphen and underscore", line, cell(p.handle))
		}
		if slices.ContainsFunc(out, func(other simPerson) bool { return other.handle == p.handle }) {
			return fmt.Errorf("line %d: %s is there twice", line, p.handle)
		}
		p.pools = strings.Join(strings.Fields(row["pools"]), " ")
		columns := p.columns()
		for name, text := range row {
			into, known := columns[name]
			if !known || strings.TrimSpace(text) == "" {
				continue
			}
			n, err := strconv.Atoi(strings.TrimSpace(text))
			if most := map[bool]int{true: 60, false: 100}[strings.HasPrefix(name, "away_")]; err != nil || n < 0 || n > most {
				return fmt.Errorf("line %d: %s is %q; write a whole number from 0 to %d", line, name, cell(text), most)
			}
			*into = n
		}
		if sum := p.withinHour + p.withinDay + p.later + p.declines; sum > 100 {
			return fmt.Errorf("line %d: within_1h, within_24h, later and declines of %s make %d of a hundred, with what the left out columns stand for", line, p.handle, sum)
		}
		if p.awayUntil < p.awayFrom {
			return fmt.Errorf("line %d: %s is away until day %d, before day %d", line, p.handle, p.awayUntil, p.awayFrom)
		}
		out = append(out, p)
		return nil
	}, append([]string{"person"}, "within_1h", "within_24h", "later", "declines", "reminded", "sits", "asked", "away_from", "away_until", "pools")...)
	if err == nil && len(out) < 2 {
		err = errors.New("at least two people are needed: somebody has to be the next")
	}
	return out, err
}

// eachRow reads CSV with a head. Columns that are not known are refused where some
// are listed.
func eachRow(in io.Reader, must string, row func(line int, row map[string]string) error, known ...string) error {
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file is empty; its first line names the columns, one of them %q", must)
	}
	if err != nil {
		return err
	}
	for i := range head {
		head[i] = strings.TrimSpace(strings.TrimPrefix(head[i], "\ufeff"))
		if len(known) > 0 && !slices.Contains(known, head[i]) {
			return fmt.Errorf("line 1: there is no column %q; there are %s", cell(head[i]), strings.Join(known, ", "))
		}
	}
	if !slices.Contains(head, must) {
		return fmt.Errorf("line 1: the column %q is missing", must)
	}
	n := 0
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		n++
		line, _ := r.FieldPos(0)
		values := map[string]string{}
		for i, text := range fields {
			values[head[i]] = text
		}
		if err := row(line, values); err != nil {
			return err
		}
	}
	if n == 0 {
		return errors.New("the file has a head and no lines below it")
	}
	return nil
}

// simLead is a lead before it comes.
type simLead struct {
	at       time.Time
	delivery knock
}

// readLeads reads the file of leads, in the order in which they come.
func readLeads(in io.Reader) ([]simLead, error) {
	var out []simLead
	err := eachRow(in, "received_at", func(line int, row map[string]string) error {
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(row["received_at"]))
		if err != nil {
			return fmt.Errorf("line %d: received_at is %q; a time with its zone is expected, such as 2027-03-01T09:30:00Z", line, cell(row["received_at"]))
		}
		values := url.Values{}
		for name, text := range row {
			if name != "received_at" && text != "" {
				values.Set(name, text)
			}
		}
		if len(values) == 0 {
			return fmt.Errorf("line %d: nothing is said about the lead", line)
		}
		out = append(out, simLead{at.UTC(), webForm(fmt.Sprintf("line-%d", line), values)})
		return nil
	})
	return inOrder(out), err
}

func webForm(id string, values url.Values) knock {
	return knock{source: "web", contentType: "application/x-www-form-urlencoded", header: http.Header{"Idempotency-Key": {id}}, body: []byte(values.Encode())}
}

// inOrder sorts leads by when they come and sets them apart, so that an instant names
// one.
func inOrder(leads []simLead) []simLead {
	slices.SortStableFunc(leads, func(a, b simLead) int { return a.at.Compare(b.at) })
	for i := range leads {
		if i > 0 && !leads[i].at.After(leads[i-1].at) {
			leads[i].at = leads[i-1].at.Add(time.Second)
		}
	}
	return leads
}

// madeUp are visitors of working days, most of them in the day.
func madeUp(start time.Time, days, rate int, seed uint64) []simLead {
	rng := rand.New(rand.NewPCG(seed, 11))
	var out []simLead
	for day := range days {
		date := start.AddDate(0, 0, day)
		n := rate
		if w := date.Weekday(); w == time.Saturday || w == time.Sunday {
			n = rate / 10
		}
		for range n {
			hour := max(0.1, min(23.9, 13+rng.NormFloat64()*4))
			v := newVisitor(rng, len(out))
			v.contentOnly = false
			out = append(out, simLead{date.Add(time.Duration(hour * float64(time.Hour))).Truncate(time.Second), htmlForm(v, fmt.Sprintf("visitor-%06d", len(out)), false)})
		}
	}
	return inOrder(out)
}

// chance is a number from 0 up to 1 that follows from the seed, the lead, the person
// and what it is drawn for: whatever else happens in the week, the same person does
// the same with the same lead.
func chance(seed uint64, lead int, person, of string) float64 {
	h := fnv.New64a()
	var number [16]byte
	binary.LittleEndian.PutUint64(number[:8], seed)
	binary.LittleEndian.PutUint64(number[8:], uint64(lead))
	_, _ = h.Write(number[:])
	_, _ = h.Write([]byte(person + "\x00" + of))
	return rand.New(rand.NewPCG(h.Sum64(), 17)).Float64()
}

// reaction is what somebody does with an offer.
type reaction struct {
	// after is how long after it they take it; below 0 = never.
	after time.Duration
	// declines says that they pass it on, and do so then.
	declines bool
}

// reacts answers what a person does with an offer of a lead.
func (p *simPerson) reacts(seed uint64, lead int) reaction {
	at, within := chance(seed, lead, p.handle, "what")*100, chance(seed, lead, p.handle, "when")
	switch {
	case at < float64(p.withinHour):
		return reaction{after: time.Duration((2 + 56*within) * float64(time.Minute))}
	case at < float64(p.withinHour+p.withinDay):
		// As many between one and five hours as between five and 24.
		return reaction{after: time.Duration(math.Pow(24, within) * float64(time.Hour))}
	case at < float64(p.withinHour+p.withinDay+p.later):
		return reaction{after: 24*time.Hour + min(time.Duration(-math.Log(1-within)*104*float64(time.Hour)), 27*24*time.Hour)}
	case at < float64(p.withinHour+p.withinDay+p.later+p.declines):
		return reaction{after: time.Duration((5 + 100*within) * float64(time.Minute)), declines: true}
	}
	return reaction{after: -1}
}

// heeds says whether a person does what they are told, in so many of a hundred leads.
func (p *simPerson) heeds(seed uint64, lead int, what string, percent int) bool {
	return chance(seed, lead, p.handle, what)*100 < float64(percent)
}

// Package recount counts the reports a second time, so that tests can hold the first
// count against it. It promises to share nothing with the program: it reads the lines
// that `baton replay --format json` prints, folds each lead over the JSON itself, and
// counts case by case, by the words of the documentation. It imports the standard library
// alone, and only tests import it.
package recount

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Log is the events of one log by what they are about.
type Log struct {
	all    []event
	leads  []string // in the order of their first event
	events map[string][]event
	places []placed
	steps  []step
}

// step is one thing that a group of pools did.
type step struct {
	at   time.Time
	body object
}

// is says of what kind a step is, and of what turn; any turn where none is named.
func (s step) is(kind, turn string) bool {
	return s.body.text("kind") == "STEP_KIND_"+kind && (turn == "" || s.body.text("turn") == "TURN_KIND_"+turn)
}

// event is one line.
type event struct {
	subject, kind string // the type without its package
	at, recorded  time.Time
	body          object
}

// placed is where somebody works from then on.
type placed struct {
	member string
	at     time.Time
	where  map[string]string
}

// object is a JSON object.
type object map[string]any

func (o object) text(name string) string {
	s, _ := o[name].(string)
	return s
}

// word reads an enum's value as a word, without its prefix.
func (o object) word(name, prefix string) string {
	w := strings.TrimPrefix(o.text(name), prefix)
	if w == "UNSPECIFIED" {
		return ""
	}
	return strings.ReplaceAll(strings.ToLower(w), "_", "-")
}

func (o object) yes(name string) bool {
	b, _ := o[name].(bool)
	return b
}

func (o object) under(name string) object {
	m, _ := o[name].(map[string]any)
	return m
}

// objects reads a list of objects.
func (o object) objects(name string) (out []object) {
	list, _ := o[name].([]any)
	for _, v := range list {
		m, _ := v.(map[string]any)
		out = append(out, m)
	}
	return out
}

// texts reads a list of texts.
func (o object) texts(name string) (out []string) {
	list, _ := o[name].([]any)
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// numbers reads a list of whole numbers.
func (o object) numbers(name string) (out []int64) {
	list, _ := o[name].([]any)
	for _, v := range list {
		out = append(out, object{"": v}.number(""))
	}
	return out
}

// number reads a whole number; 64 bits are written as text.
func (o object) number(name string) int64 {
	switch v := o[name].(type) {
	case float64:
		return int64(v)
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return n
	}
	return 0
}

func (o object) time(name string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, o.text(name))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Read reads the lines of a whole log.
func Read(lines io.Reader) (*Log, error) {
	var all []event
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var line struct {
			Subject  string    `json:"subject"`
			Type     string    `json:"type"`
			Occurred time.Time `json:"occurred_at"`
			Recorded time.Time `json:"recorded_at"`
			Body     object    `json:"body"`
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("line %q: %w", scan.Text(), err)
		}
		all = append(all, event{line.Subject, line.Type[strings.LastIndexByte(line.Type, '.')+1:], line.Occurred, line.Recorded, line.Body})
	}
	return logOf(all), scan.Err()
}

// Known is the log as it was known at an instant.
func (l *Log) Known(at time.Time) *Log {
	return logOf(slices.DeleteFunc(slices.Clone(l.all), func(e event) bool { return e.recorded.After(at) }))
}

func logOf(all []event) *Log {
	l := &Log{all: all, events: map[string][]event{}}
	for _, e := range all {
		if e.kind == "MemberPlaced" {
			l.places = append(l.places, placed{e.body.text("member"), e.at, map[string]string{
				"team": e.body.text("team"), "manager": e.body.text("manager"), "office": e.body.text("office"),
			}})
		}
		for _, b := range e.body.objects("steps") {
			l.steps = append(l.steps, step{e.at, b})
		}
		id, ok := strings.CutPrefix(e.subject, "lead.")
		if !ok {
			continue
		}
		if l.events[id] == nil {
			l.leads = append(l.leads, id)
		}
		l.events[id] = append(l.events[id], e)
	}
	return l
}

// place is where somebody worked at an instant.
func (l *Log) place(member, what string, at time.Time) string {
	word, since := "", time.Time{}
	for _, p := range l.places {
		if p.member == member && !p.at.After(at) && !p.at.Before(since) {
			word, since = p.where[what], p.at
		}
	}
	return word
}

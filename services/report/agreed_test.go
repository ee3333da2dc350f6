package report

import (
	"crypto/ed25519"
	"strconv"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/agreement"
	"github.com/leadbaton/baton/services/report/recount"
)

// agreedTwice are two versions of an agreement, as documents and in the recount's words,
// and who was away.
var agreedTwice = agreeTwice()

type agreedBoth struct {
	versions []*agreement.Version
	words    []recount.Agreed
	away     map[string][]recount.Span
	makes    map[int64]func(features map[string]any, calls int) bool
}

// Clocks of the first version, and of the second.
const (
	firstClocks = `
clocks:
  - {id: take, title: Take, text: Taken., department: sales, starts: [received], stops: [accepted], pauses: [waiting], limit: 3h, time: clock}
  - {id: follow, title: Follow, text: Followed., department: sales, starts: [accepted], stops: [touched, rejected], pauses: [away], limit: 5h}
  - {id: german, title: German, text: German., department: marketing, when: lead.country == "DE", starts: [received, rejected], stops: [nurtured], limit: 20h, time: clock}
  - {id: stir, title: Stir, text: Stirred., department: sales, starts: [accepted], stops: [closed], restarts_on_touch: true, limit: 10h, calendar: late}
`
	secondClocks = `
clocks:
  - {id: take, title: Take, text: Taken., department: sales, starts: [received, offered], stops: [accepted, rejected], pauses: [waiting, nurtured], limit: 30h, time: clock}
  - {id: first, title: First, text: First., department: marketing, starts: [received], stops: [accepted, worked], limit: 2h, calendar: office}
  - {id: back, title: Back, text: Back., department: marketing, starts: [nurtured], stops: [qualified, call], limit: 9h, calendar: office}
`
)

func agreeTwice() agreedBoth {
	keys := [2]ed25519.PublicKey{append(make([]byte, 31), 1), append(make([]byte, 31), 2)}
	text := string(agreement.Starter(agreement.StarterParams{MarketingKey: keys[0], SalesKey: keys[1]}))
	text = strings.NewReplacer("inside-sales", "inside", "large-companies", "field", "calendars:\n", "calendars:\n"+
		"  late: {zone: Europe/Berlin, hours: {tue: [\"12:00-20:00\"], thu: [\"12:00-20:00\"], sat: [\"12:00-20:00\"]}, holidays: [2026-03-10]}\n").Replace(text)
	pool := "    title: Large companies\n    group: sales\n"
	before, after, _ := strings.Cut(text, pool)
	first := before + pool + strings.Replace(after, "calendar: office", "calendar: late", 1)
	out := agreedBoth{away: map[string][]recount.Span{"ana": {{From: start.Add(2 * time.Hour), To: start.Add(30 * time.Hour)}, {From: start.Add(21 * 24 * time.Hour), To: start.Add(23 * 24 * time.Hour)}}}}
	put := func(from time.Time, document string) {
		a, err := agreement.Compile([]byte(document))
		if err != nil {
			panic(err)
		}
		out.versions = append(out.versions, &agreement.Version{Number: int64(len(out.versions) + 1), Agreement: a, InForceFrom: from})
	}
	since, anew := start, start.Add(24*24*time.Hour)
	put(since, first+firstClocks)
	put(anew, strings.Replace(text, "required: [interest, why, talk]\n  within: 24h\n", "required: [ease, phrases]\n", 1)+secondClocks)

	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	day := [2]int{9, 17}
	hours := map[string]*recount.Hours{
		"office": {Zone: time.UTC, Days: map[time.Weekday][2]int{time.Monday: day, time.Tuesday: day, time.Wednesday: day, time.Thursday: day, time.Friday: day}},
		"late":   {Zone: berlin, Days: map[time.Weekday][2]int{time.Tuesday: {12, 20}, time.Thursday: {12, 20}, time.Saturday: {12, 20}}, Off: map[string]bool{"2026-03-10": true}},
	}
	large := func(features map[string]any) bool {
		text, _ := features["employees"].(string)
		n, _ := strconv.ParseInt(text, 10, 64)
		return n >= 10
	}
	out.makes = map[int64]func(map[string]any, int) bool{
		1: func(features map[string]any, calls int) bool { return calls > 0 || large(features) },
		2: func(features map[string]any, _ int) bool { return large(features) },
	}
	german := func(features map[string]any) bool { return features["country"] == "DE" }
	out.words = []recount.Agreed{
		{From: since, Pools: map[string]string{"inside": "office", "field": "late"}, Hours: hours, Required: []string{"interest", "why", "talk"}, Within: 24 * time.Hour, Clocks: []recount.Clock{
			{ID: "take", Department: "sales", Starts: []string{"received"}, Stops: []string{"accepted"}, Pauses: []string{"waiting"}, Limit: 3 * time.Hour},
			{ID: "follow", Department: "sales", Starts: []string{"accepted"}, Stops: []string{"touched", "rejected"}, Pauses: []string{"away"}, Limit: 5 * time.Hour, Working: true},
			{ID: "german", Department: "marketing", For: german, Starts: []string{"received", "rejected"}, Stops: []string{"nurtured"}, Limit: 20 * time.Hour},
			{ID: "stir", Department: "sales", Starts: []string{"accepted"}, Restarts: true, Limit: 10 * time.Hour, Working: true, Calendar: "late"},
		}},
		{From: anew, Pools: map[string]string{"inside": "office", "field": "office"}, Hours: hours, Required: []string{"ease", "phrases"}, Clocks: []recount.Clock{
			{ID: "take", Department: "sales", Starts: []string{"received", "offered"}, Stops: []string{"accepted", "rejected"}, Pauses: []string{"waiting", "nurtured"}, Limit: 30 * time.Hour},
			{ID: "first", Department: "marketing", Starts: []string{"received"}, Stops: []string{"accepted", "worked"}, Limit: 2 * time.Hour, Working: true, Calendar: "office"},
			{ID: "back", Department: "marketing", Starts: []string{"nurtured"}, Stops: []string{"qualified", "call"}, Limit: 9 * time.Hour, Working: true, Calendar: "office"},
		}},
	}
	return out
}

// judged brings to MQL companies of ten people, and under the first version whoever was
// called; of a third version nobody knows anything.
func (a agreedBoth) judged(version int64) Judge {
	if version > 2 {
		return nil
	}
	return func(f agreement.Facts, calls []*leadv1.CallRecorded) leadv1.Stage {
		if f.Features.GetEmployees() >= 10 || version == 1 && len(calls) > 0 {
			return leadv1.Stage_STAGE_MQL
		}
		return leadv1.Stage_STAGE_LEAD
	}
}

func (a agreedBoth) inForce(at time.Time) (in *agreement.Version) {
	for _, v := range a.versions {
		if !v.InForceFrom.After(at) {
			in = v
		}
	}
	return in
}

func (a agreedBoth) absent(member string) (out []agreement.Span) {
	for _, s := range a.away[member] {
		out = append(out, agreement.Span{From: s.From, To: s.To})
	}
	return out
}

// working is the working time by the calendar of a pool, in the agreement in force when
// it begins.
func (a agreedBoth) working(pool string, from, to time.Time) (time.Duration, bool) {
	v := a.inForce(from)
	if v == nil {
		return 0, false
	}
	agreed, ok := v.Agreement.Pool(pool)
	if !ok {
		return 0, false
	}
	calendar, ok := v.Agreement.Calendar(agreed.Calendar)
	return calendar.Between(from, to), ok
}

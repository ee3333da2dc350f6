package agreement

import (
	"slices"
	"time"

	"github.com/leadbaton/baton/services/lead"
)

// Clock is a time within which something has to happen to a lead.
type Clock struct {
	ID, Title, Text string
	// Department is whose time it is: "marketing" or "sales".
	Department string
	// Starts and Stops are what starts it and what stops it. A lead that is won,
	// lost or refused stops every clock.
	Starts, Stops []lead.MomentKind
	// Pauses are the words of what it stands still for.
	Pauses []string
	// Restarts says that each act of whoever has the lead starts it anew.
	Restarts bool
	// Limit is the time that is agreed.
	Limit time.Duration
	// Working says that only working time counts: of Calendar, or of the pool's where
	// that is empty.
	Working  bool
	Calendar string
	// RemindBefore is how long before the limit somebody is reminded, in the clock's
	// own time; 0 = not at all.
	RemindBefore time.Duration
	// Steps are taken once it has run out.
	Steps []ClockStep
}

// ClockStep is one step of a clock's escalation.
type ClockStep struct {
	// After is how long after the step before, or after the clock ran out, in the
	// clock's own time.
	After time.Duration
	// Tell are handles, or ToOwner and ToManager.
	Tell []string
	Text string
	// AtOnce says that it does not wait until somebody is on duty.
	AtOnce bool
}

// Whom a step can tell besides people by their handles.
const (
	ToOwner   = "owner"
	ToManager = "manager"
)

// What a clock can stand still for.
const (
	PauseWaiting  = "waiting"
	PauseNurtured = "nurtured"
	PauseAway     = "away"
)

// clock is a clock with the leads that it is for.
type clock struct {
	Clock
	when *condition
}

// Clocks lists the clocks in the order of the document.
func (a *Agreement) Clocks() []Clock {
	out := make([]Clock, len(a.clocks))
	for i := range a.clocks {
		out[i] = a.clocks[i].Clock
	}
	return out
}

// The words for what starts and stops a clock.
var (
	startWords = []string{"received", "qualified", "offered", "accepted", "rejected", "nurtured", "worked", "call"}
	stopWords  = []string{"accepted", "touched", "worked", "closed", "qualified", "nurtured", "rejected", "call"}
	pauseWords = []string{PauseWaiting, PauseNurtured, PauseAway}
)

var momentWords = map[string]lead.MomentKind{
	"received": lead.MomentReceived, "qualified": lead.MomentQualified, "offered": lead.MomentOffered, "accepted": lead.MomentAccepted,
	"rejected": lead.MomentRejected, "nurtured": lead.MomentNurtured, "worked": lead.MomentWorked, "call": lead.MomentCall,
	"touched": lead.MomentTouched, "closed": lead.MomentClosed,
}

// poolless are the starts at which a lead may never have come to a pool, whose
// calendar could be used.
var poolless = []lead.MomentKind{lead.MomentReceived, lead.MomentNurtured, lead.MomentCall}

// acts are what whoever has a lead does with it.
var acts = []lead.MomentKind{lead.MomentTouched, lead.MomentCall, lead.MomentWorked}

// readClocks reads the clocks. What they refer to is held against the whole
// document afterwards.
func (d *draft) readClocks(v value) {
	list, _ := d.items(v)
	d.agreement.clocks = make([]clock, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		d.clock(item, &d.agreement.clocks[i], seen)
	}
}

func (d *draft) clock(item value, c *clock, seen map[string]int) {
	c.when = always
	c.Working = true
	var calendar reference
	var stopsAt, remindAt, restartsAt place
	ok := d.fields(item, "the clock",
		must("id", "to name it", "Names the clock.", d.uniqueID(&c.ID, seen, "clock")),
		must("title", "that people read", "What people call the clock.", d.textInto(&c.Title)),
		must("text", "with the clock in words", "The clock in words.", d.textInto(&c.Text)),
		must("department", "with marketing or sales", "Whose time it is.", func(v value) { c.Department = d.choice(v, Marketing, Sales) }),
		may("when", "Which leads it is for, by what is known of them when it starts. Without it: all.", d.condition(&c.when)),
		must("starts", "with what starts it, such as accepted", "What starts it, one or several. What starts it while it runs changes nothing.", d.momentsInto(&c.Starts, startWords)),
		must("stops", "with what stops it, such as touched", "What stops it, one or several. A lead that is won, lost or refused stops every clock.", func(v value) {
			stopsAt = v.key
			d.momentsInto(&c.Stops, stopWords)(v)
		}),
		may("pauses", "What it stands still for. waiting: while the lead waits in line; nurtured: while it is with marketing; away: while its owner is away.", d.wordsInto(&c.Pauses, pauseWords)),
		may("restarts_on_touch", "Whether each act of whoever has the lead starts it anew: a touch, a call or a word on the work.", func(v value) { restartsAt = v.key; c.Restarts = d.flag(v) }),
		must("limit", "with the time that is agreed, such as 4h", "The time that is agreed.", d.durationInto(&c.Limit)),
		may("time", "Whether working time counts, or all of it (clock). Without it: working.", func(v value) { c.Working = d.choice(v, "working", "clock") != "clock" }),
		may("calendar", "Whose working time counts; one of `calendars`. Without it: the calendar of the pool that the lead is in.", func(v value) {
			c.Calendar = d.id(v)
			calendar = reference{v.place, c.Calendar}
		}),
		may("remind_before", "How long before it runs out whoever has the lead is reminded, in the clock's own time.", func(v value) {
			remindAt = v.place
			c.RemindBefore = d.duration(v)
		}),
		may("steps", "Who hears of it once it has run out, step by step. A step whose people are all gone or away for an unknown time is passed over at once.", func(v value) { d.clockSteps(v, c) }),
	)
	if !ok {
		return
	}
	d.clocksAt = append(d.clocksAt, calendar)
	both := slices.IndexFunc(c.Starts, func(k lead.MomentKind) bool { return slices.Contains(c.Stops, k) })
	switch {
	case both >= 0:
		d.add(stopsAt, "%s both starts the clock and stops it; keep one of the two", wordOf(c.Starts[both]))
	case c.Restarts && slices.ContainsFunc(c.Stops, func(k lead.MomentKind) bool { return slices.Contains(acts, k) }):
		d.add(restartsAt, "an act either stops the clock or starts it anew; remove `restarts_on_touch`, or touched, worked and call from `stops`")
	}
	if c.RemindBefore > 0 && c.Limit > 0 && c.RemindBefore >= c.Limit {
		d.add(remindAt, "the reminder would come before the clock starts; write less than its limit")
	}
	switch needs := slices.IndexFunc(c.Starts, func(k lead.MomentKind) bool { return slices.Contains(poolless, k) }); {
	case !c.Working && calendar.line != 0:
		d.add(calendar.place, "with `time: clock` all time counts, so that no calendar does; remove one of the two")
	case c.Working && calendar.line == 0 && needs >= 0:
		d.add(item.key, "a clock that starts by %s may run for a lead that is in no pool; add `calendar:` with one of the calendars, or `time: clock`", wordOf(c.Starts[needs]))
	}
}

func (d *draft) clockSteps(v value, c *clock) {
	list, _ := d.items(v)
	c.Steps = make([]ClockStep, len(list))
	for i, item := range list {
		s := &c.Steps[i]
		d.fields(item, "the step",
			must("after", "with the time after the step before, such as 1d", "How long after the step before, or after the clock ran out, in the clock's own time.", d.durationInto(&s.After)),
			must("tell", "with owner, manager or handles", "Who hears of it: owner (whoever has the lead), manager (of its pool), or people by their handles. Those hear of it who are on duty then, each by their own calendar.", func(v value) {
				text, ok := v.scalar()
				d.either(v, ok && text != "", func(v value) { s.Tell = append(s.Tell, d.handle(v)) }, func(v value) {
					list, read := d.items(v)
					d.some(v, read, len(list), "nobody would hear of it; name at least one")
					for _, item := range list {
						if who := d.handle(item); who != "" && !slices.Contains(s.Tell, who) {
							s.Tell = append(s.Tell, who)
						}
					}
				})
			}),
			must("text", "with what is said", "What they read.", d.textInto(&s.Text)),
			may("at_once", "Whether everybody hears of it at once, on duty or not. Without it: it waits until one of them is on duty.", func(v value) { s.AtOnce = d.flag(v) }),
		)
	}
}

// wordsInto reads one word or a list of words of a choice, each once.
func (d *draft) wordsInto(into *[]string, words []string) func(value) {
	return func(v value) {
		add := func(v value) {
			if word := d.choice(v, words...); word != "" && !slices.Contains(*into, word) {
				*into = append(*into, word)
			}
		}
		text, ok := v.scalar()
		d.either(v, ok && text != "", add, func(v value) {
			list, read := d.items(v)
			d.some(v, read, len(list), "nothing is named; name at least one")
			for _, item := range list {
				add(item)
			}
		})
	}
}

func (d *draft) momentsInto(into *[]lead.MomentKind, words []string) func(value) {
	return func(v value) {
		var list []string
		d.wordsInto(&list, words)(v)
		for _, word := range list {
			*into = append(*into, momentWords[word])
		}
	}
}

// wordOf is the agreement's word for a moment.
func wordOf(kind lead.MomentKind) string {
	for _, word := range append(slices.Clone(startWords), stopWords...) {
		if momentWords[word] == kind {
			return word
		}
	}
	return "something else"
}

// checkClocks holds the clocks against the calendars.
func (d *draft) checkClocks() {
	var ids []string
	for _, c := range d.agreement.calendars {
		ids = append(ids, c.id)
	}
	for _, c := range d.clocksAt {
		// A calendar that is there but wrong has its own problem already.
		if _, there := d.calendars[c.id]; c.id != "" && !there {
			d.add(c.place, "there is no calendar %q%s; add it under `calendars`", c.id, suggest(c.id, ids))
		}
	}
}

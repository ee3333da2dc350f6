package agreement

import (
	"slices"
	"time"
)

// What is agreed on what comes after the handoff: what is told of a lead, what may be
// held against each other, and how figures are divided by time.

// Disposition is what can come of a touch.
type Disposition struct {
	ID, Title string
	// Reached says that the person was reached.
	Reached bool
}

// Feedback is what marketing asks sales about a lead.
type Feedback struct {
	// Why, Talk and Missing are the answers to choose from.
	Why, Talk, Missing []Term
	// Required are the questions that must be answered, by FeedbackQuestions.
	Required []string
	// Within is the working time after acceptance in which they have to be; 0 = no time
	// is agreed. Calendar says whose; empty = that of the lead's pool.
	Within   time.Duration
	Calendar string
}

// FeedbackQuestions are the questions that a form has, in its order.
func FeedbackQuestions() []string {
	return []string{"interest", "why", "talk", "missing", "vertical", "persona", "ease", "phrases"}
}

// Disputes is who settles what one side holds against the other.
type Disputes struct {
	// Arbiter decides.
	Arbiter string
	// Within is the working time after which an open case goes to the arbiter, and
	// again to each of Then, one after another. Calendar says whose.
	Within   time.Duration
	Calendar string
	Then     []string
	// Sample is how many handoffs a review looks at; 0 = 10.
	Sample int
}

// Purpose is what a lead is for.
type Purpose struct{ ID, Title string }

// purpose is a purpose with the leads that have it.
type purpose struct {
	Purpose
	when *condition
}

// Dispositions lists what can come of a touch; none = that is not agreed.
func (a *Agreement) Dispositions() []Disposition { return slices.Clone(a.dispositions) }

// Disposition answers one of them.
func (a *Agreement) Disposition(id string) (Disposition, bool) {
	return find(a.dispositions, func(d Disposition) bool { return d.ID == id })
}

// DealStages lists the stages of a deal in their order; none = that is not agreed.
func (a *Agreement) DealStages() []Term { return slices.Clone(a.dealStages) }

// Feedback is what marketing asks about a lead; false = nothing is agreed.
func (a *Agreement) Feedback() (Feedback, bool) { return a.feedback, a.hasFeedback }

// Disputes is who settles disputes; false = nobody is agreed.
func (a *Agreement) Disputes() (Disputes, bool) { return a.disputes, a.disputes.Arbiter != "" }

// AcceptedByDefault is the working time after which an accepted lead that nobody gave
// back counts as accepted for good; false where that is not agreed. An empty calendar is
// that of the lead's pool.
func (a *Agreement) AcceptedByDefault() (within time.Duration, calendar string, ok bool) {
	return a.forGood, a.forGoodBy, a.forGood > 0
}

// Purposes lists what leads can be for, in order; none = that is not agreed.
func (a *Agreement) Purposes() []Purpose {
	out := make([]Purpose, len(a.purposes))
	for i, p := range a.purposes {
		out[i] = p.Purpose
	}
	return out
}

// Purpose is the one that a lead is for: the first that holds. Empty = none is agreed.
func (a *Agreement) Purpose(f Facts) string {
	for _, p := range a.purposes {
		if met, _ := p.when.decide(&f); met {
			return p.ID
		}
	}
	return ""
}

// Year is how figures are divided by time.
func (a *Agreement) Year() Year {
	if a.year.Zone == nil {
		return Year{Starts: time.January, Zone: time.UTC}
	}
	return a.year
}

// afterPlaces says where the parts of what comes after the handoff stand.
type afterPlaces struct {
	dispositions, within, calendar, arbiter place
	// then are the handles of who is told after the arbiter, reasons and purposes the
	// elements of these lists, in their order.
	then              []reference
	reasons, purposes []place
}

func (d *draft) readDispositions(v value) {
	d.after.dispositions = v.key
	list, ok := d.items(v)
	d.some(v, ok, len(list), "nothing can come of a touch; add at least one disposition, or remove `dispositions`")
	seen := make(map[string]int)
	for _, item := range list {
		p := Disposition{}
		d.fields(item, "the disposition",
			must("id", "to name it", "Names the disposition.", d.uniqueID(&p.ID, seen, "disposition")),
			must("title", "that people read", "What people read when they choose it.", d.textInto(&p.Title)),
			may("reached", "Whether it means that the person was reached.", func(v value) { p.Reached = d.flag(v) }),
		)
		d.agreement.dispositions = append(d.agreement.dispositions, p)
	}
}

// choices reads words, each with the title that people read when they choose it.
func (d *draft) choices(into *[]Term) func(value) {
	return func(v value) {
		list, _ := d.entries(v)
		for _, e := range list {
			if name := d.wordFor(v, e, "a word to choose", "put what people read behind it"); name != "" {
				*into = append(*into, Term{Name: name, Text: d.text(e.value)})
			}
		}
	}
}

func (d *draft) readFeedback(v value) {
	f := &d.agreement.feedback
	d.agreement.hasFeedback = true
	calendar := reference{}
	d.fields(v, "feedback",
		may("why", "Why a lead was interesting, or not: answers to choose from.", d.choices(&f.Why)),
		may("talk", "How the talk went: answers to choose from.", d.choices(&f.Talk)),
		may("missing", "Which information was missing for the next campaign: answers to choose from.", d.choices(&f.Missing)),
		may("required", "Questions that must be answered: interest, why, talk, missing, vertical, persona, ease or phrases.", func(v value) {
			d.wordsInto(&f.Required, FeedbackQuestions())(v)
		}),
		may("within", "How long after a lead was accepted they have to be answered, in working time.", func(v value) {
			d.after.within = v.key
			f.Within = d.duration(v)
		}),
		may("calendar", "Whose working time counts; one of `calendars`. Without it: the calendar of the lead's pool.", func(v value) {
			f.Calendar = d.id(v)
			calendar = reference{v.place, f.Calendar}
			d.after.calendar = v.key
		}),
	)
	d.clocksAt = append(d.clocksAt, calendar)
	for name, list := range map[string][]Term{"why": f.Why, "talk": f.Talk, "missing": f.Missing} { // any order: at most one of each is said, and problems are sorted by place
		if slices.Contains(f.Required, name) && len(list) == 0 {
			d.add(v.key, "%s is required and has no answers to choose from; add `%[1]s`, or take it out of `required`", name)
		}
	}
}

func (d *draft) readDisputes(v value) {
	p := &d.agreement.disputes
	calendar := reference{}
	ok := d.fields(v, "disputes",
		must("arbiter", "with the handle of who decides", "The handle of the person who decides.", func(v value) {
			d.after.arbiter = v.place
			p.Arbiter = d.handle(v)
		}),
		must("within", "with the working time after which an open case goes to the arbiter, such as 16h", "The working time after which a case that is still open is put before the arbiter.", d.durationInto(&p.Within)),
		must("calendar", "with whose working time counts; one of `calendars`", "Whose working time counts; one of `calendars`.", func(v value) {
			p.Calendar = d.id(v)
			calendar = reference{v.place, p.Calendar}
		}),
		may("then", "Handles of those who are told after the arbiter, one after another, each after the same time.", func(v value) {
			list, _ := d.items(v)
			for _, item := range list {
				to := ""
				if d.handleInto(&to)(item); to != "" {
					p.Then = append(p.Then, to)
					d.after.then = append(d.after.then, reference{item.place, to})
				}
			}
		}),
		may("sample", "How many handoffs a review looks at. Without it: 10.", func(v value) {
			if n, ok := d.integer(v, 1, 100); ok {
				p.Sample = int(n)
			}
		}),
	)
	if !ok {
		p.Arbiter = ""
	}
	d.clocksAt = append(d.clocksAt, calendar)
}

func (d *draft) readAcceptedByDefault(v value) {
	calendar := reference{}
	d.fields(v, "accepted_by_default",
		must("within", "with a working time, such as 24h", "The working time after acceptance in which a lead can be given back. After it, it counts as accepted for good.", d.durationInto(&d.agreement.forGood)),
		may("calendar", "Whose working time counts; one of `calendars`. Without it: the calendar of the lead's pool.", func(v value) {
			d.agreement.forGoodBy = d.id(v)
			calendar = reference{v.place, d.agreement.forGoodBy}
		}),
	)
	d.clocksAt = append(d.clocksAt, calendar)
}

func (d *draft) readPurposes(v value) {
	list, ok := d.items(v)
	d.some(v, ok, len(list), "leads have no purpose; add at least one, or remove `purposes`")
	d.agreement.purposes = make([]purpose, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		p := &d.agreement.purposes[i]
		d.after.purposes = append(d.after.purposes, item.place)
		p.when = always
		said := false
		d.fields(item, "the purpose",
			must("id", "to name it", "Names the purpose.", d.uniqueID(&p.ID, seen, "purpose")),
			must("title", "that people read", "What people call the purpose.", d.textInto(&p.Title)),
			may("when", "Which leads have it; the first that holds counts. The last purpose has no condition: it takes all that are left.", func(v value) {
				said = true
				d.condition(&p.when)(v)
			}),
		)
		switch last := i == len(list)-1; {
		case last && said:
			d.add(item.place, "the last purpose takes the leads that are left, so that each lead has one; remove its `when`, or add one without")
		case !last && !said:
			d.add(item.place, "this purpose takes every lead, and those after it get none; give it a `when`, or put it last")
		}
	}
}

func (d *draft) readYear(v value) {
	months := make([]string, 12)
	for m := range months {
		months[m] = (time.January + time.Month(m)).String()
	}
	y := Year{Starts: time.January, Zone: time.UTC}
	d.fields(v, "the year",
		may("starts", "The month with which it starts. Without it: January.", func(v value) {
			if i := slices.Index(months, d.choice(v, months...)); i >= 0 {
				y.Starts = time.Month(i + 1)
			}
		}),
		must("zone", "with a time zone, such as Europe/Berlin", "The time zone by which days, weeks, months and quarters begin in reports.", d.zoneInto(&y.Zone)),
	)
	d.agreement.year = y
}

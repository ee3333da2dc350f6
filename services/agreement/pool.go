package agreement

import (
	"slices"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Handoff is a rule that gives leads of a stage to a pool.
type Handoff struct {
	ID, Text string
	Stage    leadv1.Stage
	Pool     string
	// Skills are what whoever gets the lead must know.
	Skills []string
	// Overlay is the exception that chose the pool or the time; empty = none.
	Overlay string
	// TakeWithin is the working time that the exception gives; 0 = the pool's own.
	TakeWithin time.Duration
}

// PoolMember is one member of a pool.
type PoolMember struct {
	// Member is the handle.
	Member string
	// Weight is the member's share in the rotation.
	Weight int64
	// Capacity is the most open leads; 0 = no limit.
	Capacity int64
	// AtMost bounds what the member is given in a period.
	AtMost Limits
	// Calendar of the member; empty = the pool's.
	Calendar string
	// Knows are languages, products and skills.
	Knows []string
}

// Limits are the most leads that somebody is given in a day, a week and a month of
// their calendar; 0 = no limit. A week begins on Monday.
type Limits struct{ Day, Week, Month int64 }

// Any says whether there is a limit.
func (l Limits) Any() bool { return l != Limits{} }

// unsaid marks limits that a member does not have of their own.
var unsaid = Limits{Day: -1}

// How a pool finds the next person, as Pool.GivesBy says it.
const (
	ByRotation = "rotation"
	ByLoad     = "least-loaded"
	ByOrder    = "strict-order"
	ByClaim    = "claim"
)

// What becomes of the share of somebody on leave, as Pool.AfterLeave says it.
const (
	NoCatchUp     = "no-catch-up"
	FullCatchUp   = "full"
	CappedCatchUp = "capped"
)

// Pool is a group of people who take turns.
type Pool struct {
	ID, Title string
	// Group names the pools that share people.
	Group    string
	Manager  string
	Calendar string
	// TakeWithin is the working time that a member has to take an offered lead.
	TakeWithin time.Duration
	Members    []PoolMember
	// GivesBy is how the next person is found.
	GivesBy string
	// Counted are the kinds of turns that count in the rotation; nil = nothing is said.
	Counted []leadv1.TurnKind
	// AfterLeave is what becomes of the share of somebody on leave; CatchUp bounds it
	// where it is capped.
	AfterLeave string
	CatchUp    int64
	// QuietBeforeEnd is how long before the end of a shift no lead is handed out.
	QuietBeforeEnd time.Duration
	// RemindBefore is how long before an offer runs out the member is reminded, in
	// working time; 0 = not at all.
	RemindBefore time.Duration
	// DeclinedFor is how long a decliner does not get the lead again; 0 = for as long as
	// anybody else is left.
	DeclinedFor time.Duration
	// SignedIn says that only those who are signed in get leads.
	SignedIn bool
	// AccountOwner says that a company's leads go to who owns it.
	AccountOwner bool
	// PreviousOwnerFor is how long somebody counts as the previous owner of a person; 0 =
	// never. PreviousOwnerWait is the working time that a lead waits for them.
	PreviousOwnerFor, PreviousOwnerWait time.Duration
	// Fallback gets a lead that waited for long.
	Fallback Fallback
	// LookEvery is how often the manager looks at the pool; 0 = that is not agreed. Next
	// hears of it where they do not.
	LookEvery time.Duration
	Next      string
}

// Fallback is who gets a lead that nobody of the pool could take for the working time
// After: a pool or a person. The zero value is nobody.
type Fallback struct {
	After        time.Duration
	Pool, Member string
}

// Counts says whether a kind of turn counts in the pool's rotation.
func (p *Pool) Counts(kind leadv1.TurnKind) bool {
	if p.Counted == nil {
		return kind == leadv1.TurnKind_TURN_KIND_ROTATION || kind == leadv1.TurnKind_TURN_KIND_CREDIT
	}
	return slices.Contains(p.Counted, kind)
}

const (
	maxWeight   = 1000
	maxCapacity = 100_000
)

func (d *draft) readPools(v value) {
	list, ok := d.items(v)
	d.some(v, ok, len(list), "there is no pool; add at least one")
	d.agreement.pools = make([]Pool, len(list))
	d.pools = make([]poolPlaces, len(list))
	seen := make(map[string]int)
	for i, item := range list {
		d.pool(item, &d.agreement.pools[i], &d.pools[i], seen)
	}
}

func (d *draft) pool(item value, p *Pool, places *poolPlaces, seen map[string]int) {
	capacity, grouped := int64(0), false
	limits := Limits{}
	p.GivesBy, p.AfterLeave = ByRotation, NoCatchUp
	// says notes where something stands that other parts of the pool can contradict.
	says := func(name string, read func(value)) func(value) {
		return func(v value) {
			places.said = append(places.said, said{name: name, key: v.key, value: v.place})
			read(v)
		}
	}
	ok := d.fields(item, "the pool",
		must("id", "to name it", "Names the pool.", d.uniqueID(&p.ID, seen, "pool")),
		must("title", "that people read", "What people call the pool.", d.textInto(&p.Title)),
		may("group", "Pools that share a person are of one group. Without it: a group of its own.", func(v value) { grouped = true; p.Group = d.id(v) }),
		must("manager", "with the handle of who watches it", "The handle of the person who watches it.", d.handleInto(&p.Manager)),
		must("calendar", "with one of the calendars", "When these people work; one of `calendars`.", func(v value) {
			p.Calendar = d.id(v)
			places.calendar = reference{place: v.place, id: p.Calendar}
		}),
		must("take_within", "with the working time to take a lead, such as 2h", "The working time that a person has to take an offered lead.", d.durationInto(&p.TakeWithin)),
		may("gives_by", "How the next person is found. rotation: by shares; least-loaded: who has the fewest open leads for their share; strict-order: the first of the list who can; claim: whoever takes it. Without it: rotation.", func(v value) {
			p.GivesBy = d.choice(v, ByRotation, ByLoad, ByOrder, ByClaim)
		}),
		may("counts", "Which kinds of turns count in the rotation: rotation, ownership (the lead came to its owner), override (by hand), credit (given back for a bad lead). Without it: rotation and credit.", says("counts", d.turnKinds(p))),
		may("after_leave", "What becomes of the share of somebody on leave. no-catch-up: it is nobody's; full: they get it when they are back; capped: up to catch_up_at_most leads. Without it: no-catch-up.", says("after_leave", func(v value) {
			p.AfterLeave = d.choice(v, NoCatchUp, FullCatchUp, CappedCatchUp)
		})),
		may("catch_up_at_most", "The most leads that somebody back from leave is owed, with after_leave: capped.", says("catch_up_at_most", func(v value) {
			p.CatchUp, _ = d.integer(v, 1, 1000)
		})),
		may("quiet_before_end", "No lead is handed out in the last minutes of somebody's shift: this long before it ends.", says("quiet_before_end", d.durationInto(&p.QuietBeforeEnd))),
		may("remind_before", "How long before the time to take a lead ends the person is reminded, in working time.", says("remind_before", d.durationInto(&p.RemindBefore))),
		may("declined_for", "How long somebody who declined a lead does not get it again. Without it: for as long as anybody else is left.", d.durationInto(&p.DeclinedFor)),
		may("signed_in", "Whether only those who are signed in for the day get leads.", func(v value) { p.SignedIn = d.flag(v) }),
		may("account_owner", "Whether the leads of a company go to the person who owns it, if they can take them.", func(v value) { p.AccountOwner = d.flag(v) }),
		may("previous_owner", "Whether a person who comes back goes to whoever had them before.", func(v value) {
			d.fields(v, "previous_owner",
				must("for", "with how long it counts, such as 90d", "How long after their last act somebody counts as the previous owner.", d.durationInto(&p.PreviousOwnerFor)),
				may("wait", "The working time that such a lead waits for them. Without it: somebody else of the pool covers at once.", d.durationInto(&p.PreviousOwnerWait)),
			)
		}),
		may("fallback", "Who gets a lead that nobody of the pool could take for a while.", func(v value) {
			places.fallback.place = v.key
			d.fields(v, "the fallback",
				must("after", "with the working time that a lead waits first, such as 4h", "The working time of the pool that a lead waits first.", d.durationInto(&p.Fallback.After)),
				may("pool", "The pool that gets it; one of `pools`.", func(v value) {
					p.Fallback.Pool = d.id(v)
					places.fallback = reference{v.place, p.Fallback.Pool}
				}),
				may("member", "The person who gets it, whatever they hold already.", d.handleInto(&p.Fallback.Member)),
			)
		}),
		may("oversight", "Who hears of it when nobody watches the pool while clocks run out.", func(v value) {
			d.fields(v, "the oversight",
				must("look_every", "with how often the manager looks, such as 3d", "How often the manager looks at the pool.", d.durationInto(&p.LookEvery)),
				must("next", "with the handle of who hears of it", "The handle of who hears of it.", says("next", d.handleInto(&p.Next))),
			)
		}),
		may("at_most", "The most leads that one person is given in a period, where nothing else is said beside the person.", d.limits(&limits)),
		may("capacity", "The most open leads of one person, where nothing else is said beside the person. 0, or without it: no limit.", d.integerInto(&capacity, 0, maxCapacity)),
		must("members", "with at least one member", "Who takes turns.", func(v value) {
			list, ok := d.items(v)
			d.some(v, ok, len(list), "the pool has no member; add at least one")
			inPool := make(map[string]int)
			for _, m := range list {
				d.member(m, p, places, inPool)
			}
		}),
	)
	if !ok {
		return
	}
	for i := range p.Members {
		if p.Members[i].Capacity < 0 {
			p.Members[i].Capacity = capacity
		}
		if p.Members[i].AtMost == unsaid {
			p.Members[i].AtMost = limits
		}
	}
	if !grouped {
		p.Group = p.ID
	}
}

// member reads one member. A capacity that is not stated is marked -1 until the
// pool's own is known.
func (d *draft) member(v value, p *Pool, places *poolPlaces, inPool map[string]int) {
	m := PoolMember{Weight: 1, Capacity: -1, AtMost: unsaid}
	calendar, weight := reference{}, said{}
	at := v.place
	ok := d.fields(v, "the member",
		must("member", "with the handle", "The handle of the person, as in `baton people list`.", func(v value) { at = v.place; m.Member = d.handle(v) }),
		may("weight", "The share of the leads: 2 gets twice as many as 1. Without it: 1.", func(v value) {
			m.Weight, _ = d.integer(v, 1, maxWeight)
			weight = said{name: "weight", key: v.key, value: v.place}
		}),
		may("capacity", "The most open leads of this person. 0: no limit. Without it: what the pool says.", d.integerInto(&m.Capacity, 0, maxCapacity)),
		may("at_most", "The most leads that this person is given in a period. Without it: what the pool says.", d.limits(&m.AtMost)),
		may("calendar", "When this person works, where it is not the pool's calendar; one of `calendars`.", func(v value) {
			m.Calendar = d.id(v)
			calendar = reference{v.place, m.Calendar}
		}),
		may("knows", "Languages, products, industries and other skills of this person, such as [de, en, hospitals].", func(v value) {
			list, _ := d.items(v)
			for _, item := range list {
				if word := d.knowledge(item); word != "" {
					m.Knows = append(m.Knows, word)
				}
			}
		}),
	)
	if ok && d.unique(inPool, m.Member, at, "member") {
		p.Members = append(p.Members, m)
		places.members = append(places.members, reference{place: at, id: m.Member})
		places.shifts = append(places.shifts, calendar)
		if weight.name != "" {
			places.said = append(places.said, weight)
		}
	}
}

// turnKindNames are the kinds of turns as documents write them, in the order of the
// enumeration.
var turnKindNames = []string{"rotation", "ownership", "override", "credit"}

// turnKinds reads which kinds of turns count.
func (d *draft) turnKinds(p *Pool) func(value) {
	return func(v value) {
		list, _ := d.items(v)
		p.Counted = []leadv1.TurnKind{}
		for _, item := range list {
			word := d.choice(item, turnKindNames...)
			p.Counted = append(p.Counted, leadv1.TurnKind(slices.Index(turnKindNames, word)+1))
		}
	}
}

// limits reads the most leads of a day, a week and a month.
func (d *draft) limits(into *Limits) func(value) {
	return func(v value) {
		*into = Limits{}
		var day, week place
		d.fields(v, "at_most",
			may("day", "The most leads in a day. 0, or without it: no limit.", func(v value) { day = v.place; into.Day, _ = d.integer(v, 0, maxCapacity) }),
			may("week", "The most leads in a week from Monday on. 0, or without it: no limit.", func(v value) { week = v.place; into.Week, _ = d.integer(v, 0, maxCapacity) }),
			may("month", "The most leads in a calendar month. 0, or without it: no limit.", d.integerInto(&into.Month, 0, maxCapacity)),
		)
		for _, one := range []struct {
			at              place
			less, more      int64
			shorter, longer string
		}{{day, into.Day, into.Week, "day", "week"}, {day, into.Day, into.Month, "day", "month"}, {week, into.Week, into.Month, "week", "month"}} {
			if one.more > 0 && one.less > one.more {
				d.add(one.at, "%d leads a %s are more than %d a %s, so that they bound nothing; lower the one or raise the other", one.less, one.shorter, one.more, one.longer)
				break
			}
		}
	}
}

// knowledge reads one thing that somebody knows. Countries are written large, all else
// small.
func (d *draft) knowledge(v value) string {
	return d.token(v, "something that somebody knows", knowsChars, "letters, digits and hyphens")
}

const knowsChars = idChars + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// defaultMoves are why leads may be moved by hand where the agreement says nothing.
var defaultMoves = []Term{
	{"left", "The person has left, or does something else now."},
	{"overload", "The person has too much to do."},
	{"wrong-person", "Somebody else knows this better."},
	{"customer-wish", "The customer asked for somebody else."},
	{"other", "Another reason; say which in the note."},
}

// Moves lists why somebody may move a lead by hand; agreed is false where the agreement
// says nothing and the reasons are those that Baton brings.
func (a *Agreement) Moves() (reasons []Term, agreed bool) {
	if len(a.moves) > 0 {
		return slices.Clone(a.moves), true
	}
	return slices.Clone(defaultMoves), false
}

func (d *draft) moveReasons(v value) {
	list, ok := d.entries(v)
	d.some(v, ok, len(list), "there is no reason for moving a lead by hand; add one, or remove `reassign_reasons` for those that Baton brings")
	for _, e := range list {
		if name := d.wordID(v, e); name != "" {
			d.agreement.moves = append(d.agreement.moves, Term{Name: name, Text: d.text(e.value)})
		}
	}
}

// OneOwner is how long after somebody's act on a person another's act is a collision;
// false where the agreement does not ask for one owner a person.
func (a *Agreement) OneOwner() (window time.Duration, ok bool) {
	return a.collision, a.collision > 0
}

func (d *draft) oneOwner(v value) {
	d.fields(v, "one_owner",
		must("window", "with the time in which two acts collide, such as 14d", "The time in which two people's acts on one person are a collision.", d.durationInto(&d.agreement.collision)),
	)
}

// needed is a fact of the lead that whoever gets it must know their way in.
type needed struct {
	reference
	handoff *handoff
}

// Needs answers what a rule wants whoever gets the lead to know: its skills, and what
// the lead states of the facts that it names, each once, in the order of the document.
func (a *Agreement) Needs(rule string, f Facts) []string {
	for i := range a.handoffs {
		h := &a.handoffs[i]
		if h.ID != rule {
			continue
		}
		out := slices.Clone(h.Skills)
		for _, v := range h.needs {
			if fact, ok := v.read(&f); ok {
				if word, text := fact.(string); text && word != "" && !slices.Contains(out, word) {
					out = append(out, word)
				}
			}
		}
		return out
	}
	return nil
}

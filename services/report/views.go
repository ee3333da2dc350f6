package report

import (
	"fmt"
	"strings"

	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
)

// The views are what other tools may read. What stands here stays: columns are added,
// never renamed or taken away. docs/views.md is written from these texts.

// Types of columns.
const (
	typeText    = "text"
	typeInteger = "integer"
	typeNumber  = "number"
	typeInstant = "instant"
	typeBoolean = "boolean"
)

// view is a view with what each of its columns holds.
type view struct {
	name, text string
	columns    []viewColumn
}

type viewColumn struct {
	name, kind, text string
	// people says that it names people, whom not everybody sees.
	people bool
}

// viewOf reads the columns of a view: a line for each with its name, its type, marked
// with * where it names people, and its text.
func viewOf(name, text, columns string) view {
	v := view{name: name, text: text}
	for line := range strings.Lines(strings.TrimSpace(columns)) {
		column, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		kind, says, _ := strings.Cut(rest, " ")
		kind, people := strings.CutSuffix(kind, "*")
		v.columns = append(v.columns, viewColumn{column, kind, says, people})
	}
	return v
}

// viewList are all of them, by name.
var viewList = []view{
	viewOf("v_agreement_versions", "A version of the agreement.", `
version integer Number of the version, from 1.
proposed_at instant When it was proposed.
in_force_from instant From when on it is in force; null until both departments have signed it.
`),
	viewOf("v_assignments", "A time that a lead was given to a member.", `
lead_id text Lead.
sequence integer LEDGER sequence of the event that gave it.
offer integer Number of the offer of the lead, from 1; 0 where there was none.
member text* Who it was given to.
pool text Pool that gave it.
pool_group text Group of pools that share one rotation.
rule text Rule of the agreement by which the pool was chosen.
turn text How the turn came about: rotation, or what stood above it.
agreement_version integer Version of the agreement by which it was given.
outcome text What became of the offer: standing, accepted, rejected, timed-out, withdrawn, or stated where history was imported.
reason text Agreed reason, where it was rejected or given back.
offered_at instant When it was offered.
take_by instant Until when it had to be taken.
ended_at instant When the offer ended, by whatever outcome.
released_at instant When a lead that had been taken was given back or taken away.
active boolean Whether the member has it, or its offer, still.
`),
	viewOf("v_definitions", "A lead that some version of the agreement has decided.", `
lead_id text Lead.
source text Source that it came from.
campaign text Campaign of the first touch; empty = not stated.
historical boolean Whether it was imported as history.
version integer Version of the agreement that decided it first, whatever it decided.
received_at instant When it was received.
decided_at instant When it was first decided.
mql_at instant When it reached MQL; null = it did not.
sal_at instant When it reached SAL; null = it did not.
sql_at instant When it reached SQL; null = it did not.
returned_at instant When it first came back to marketing after it had been MQL; null = it did not.
first_offered_at instant When it was first offered to a member; null = never.
first_accepted_at instant When it was first accepted; null = never.
`),
	viewOf("v_disputes", "A dispute about a lead.", `
dispute_id text Case.
lead_id text Lead.
opened_at instant When it was opened.
party text Party that opened it: marketing or sales.
claim text What it claims, by a word of the agreement's list.
agreement_version integer Version of the agreement by which it is judged.
answered_at instant When the other party answered; null = not yet.
agrees boolean Whether the other party agreed.
steps integer How often it was escalated.
decided_at instant When it was decided; null = it is open.
verdict text Who was right; empty = it is open.
criterion text Criterion of the agreement that decided it.
questionnaire_version text Version of the questionnaire at the call in dispute.
finding text What the review found wrong in the questionnaire; empty = nothing, or it was not reviewed.
`),
	viewOf("v_feedback", "A time that a member said something of a lead; what each said last counts.", `
lead_id text Lead.
sequence integer LEDGER sequence.
at instant When it was said.
member text* Who said it.
interest integer How interested the person was, 1 to 5; 0 = not said.
ease integer How easy the talk was, 1 to 5; 0 = not said.
talk text How the talk went, by a word of the agreement's list.
vertical text Line of business that it turned out to be.
persona text Persona that it turned out to be.
campaign text Campaign that the person spoke of.
why text Why the person wants it: agreed words, one a line.
missing text What was not known of the lead: agreed words, one a line.
phrases text Agreed phrases that the person used, one a line.
agreement_version integer Version of the agreement whose words these are.
`),
	viewOf("v_leads", "A lead as it stands now.", `
lead_id text Lead.
state text State, as a word: received, nurturing, waiting, offered, accepted, working, won, lost, refused and others.
stage text LEAD, MQL, SAL or SQL; empty = it was refused.
source text Source that it came from.
signed boolean Whether the delivery was signed by its source.
historical boolean Whether it was imported as history.
needs_mapping boolean Whether its source's mapping does not fit it yet.
conflict boolean Whether a later delivery stated something else.
received_at instant When it was received.
country text Country as two letters; empty = not stated.
employees integer Employees of the company; 0 = not stated.
industry text Industry; empty = not stated.
person_role text Role of the person in the company; empty = not stated.
product text Product asked for; empty = not stated.
language text Language; empty = not stated.
contact_wish text How the person wants to be contacted.
utm_source text Source of the first touch.
utm_medium text Medium of the first touch.
campaign text Campaign of the first touch.
person_id text Person that the lead is of: a number that says nothing of who it is.
definition integer Version of the agreement that first qualified it; 0 = none.
agreement_version integer Version of the agreement that decided it last; 0 = none.
persona text Persona; empty = none.
pool text Pool that has it or had it last.
owner text* Who has it; empty = nobody.
offered_to text* Who it is offered to; empty = nobody.
offers integer How often it was offered.
blocked_by text Why it waits, as a word; empty = it does not.
refused_reason text Why it was refused at the door; empty = it was not.
refused_at instant When it was refused; null = it was not.
mql_at instant When it reached MQL; null = it did not.
sal_at instant When it reached SAL; null = it did not.
sql_at instant When it reached SQL; null = it did not.
first_offered_at instant When it was first offered to a member; null = never.
first_accepted_at instant When it was first accepted; null = never.
first_rejected_at instant When it was first rejected; null = never.
first_touch_at instant When sales first touched the person; null = never.
won_at instant When its deal was won; null = it is not won.
lost_at instant When its deal was lost; null = it is not lost.
reason text Agreed reason why it stands as it does.
rejections integer How often it was rejected.
duplicates integer Further deliveries of what was kept already: repeats, revisions and equal forms.
touches integer Touches of the person by sales.
value_minor integer Value of the deal in minor units of the currency.
currency text ISO 4217 currency of the value.
failure text Why it could not be worked; empty = it could.
last_sequence integer LEDGER sequence of its last event.
`),
	viewOf("v_member_places", "Where a member works, from an instant on.", `
member text* Member.
from_at instant From when on.
team text Team; empty = none.
manager text* Who leads them; empty = nobody.
office text Office; empty = none.
`),
	viewOf("v_nurture", "A lead that is with marketing.", `
lead_id text Lead.
stage text LEAD, MQL, SAL or SQL.
source text Source that it came from.
reason text Why it is with marketing, as a word.
text text The same in a sentence.
since instant Since when.
made integer Touches of the agreed plan that are made.
next_touch text Next touch of the plan; empty = the plan holds no more.
next_touch_due instant When that is due.
recheck_at instant When it is to be looked at again.
due instant The earlier of the two.
`),
	viewOf("v_rejections", "A time that a lead was rejected or given back with a reason.", `
lead_id text Lead.
sequence integer LEDGER sequence.
at instant When.
member text* Who rejected it.
pool text Pool that had given it.
reason text Agreed reason.
consequence text What the reason leads to: the next person, marketing, or out.
agreement_version integer Version of the agreement whose reason it is.
`),
	viewOf("v_rides", "A time that somebody of marketing asked to listen to a talk with a lead.", `
lead_id text Lead.
ride_id text Names it among those of the lead.
member text* Who asked.
asked_at instant When they asked.
held_at instant When they had listened; null = not yet.
`),
	viewOf("v_speed_to_lead", "A lead that was not refused, and how soon sales answered it.", `
lead_id text Lead.
source text Source that it came from.
campaign text Campaign of the first touch.
country text Country as two letters; empty = not stated.
persona text Persona; empty = none.
pool text Pool that has it or had it last.
owner text* Who has it; empty = nobody.
definition integer Version of the agreement that first qualified it; 0 = none.
historical boolean Whether it was imported as history.
received_at instant When it was received.
first_touch_at instant When sales first touched the person; null = never.
seconds number Seconds from the one to the other, in clock time; null = never.
bucket text up_to_1h, from_1h_to_24h, over_24h or unanswered.
`),
	viewOf("v_stage_history", "An event that moved a lead: how it stood from then on.", `
lead_id text Lead.
sequence integer LEDGER sequence of the event.
occurred_at instant When it happened.
recorded_at instant When it became known.
event text Type of the event, without its package.
state text State from then on, as a word.
stage text Stage from then on.
definition integer Version of the agreement that had first qualified it; 0 = none.
persona text Persona from then on.
pool text Pool from then on.
owner text* Who had it from then on; empty = nobody.
offered_to text* Who it was offered to from then on; empty = nobody.
blocked_by text Why it waited from then on; empty = it did not.
reason text Agreed reason of the event.
`),
	viewOf("v_touches", "An act of sales on a lead: a touch or a call.", `
lead_id text Lead.
sequence integer LEDGER sequence.
at instant When it happened.
recorded_at instant When it became known.
member text* Who it was by.
channel text Channel, such as call or email.
direction text Whether it went out or came in.
disposition text How it ended, by a word of the agreement's list.
reached boolean Whether the person was reached.
minutes integer How long it took; 0 = not said.
`),
	viewOf("v_turn_adjustments", "A change of somebody's books in a pool: a credit for a bad lead, or a calibration.", `
sequence integer LEDGER sequence.
step integer Step within the event.
at instant When.
pool text Pool.
lead_id text Lead that it is for; empty = for none.
member text* Whose books.
kind text What it is.
leads integer Leads more; below 0: fewer.
others text* Off whose books it is taken: member=weight.
`),
	viewOf("v_turns", "A lead that a pool gave to a person.", `
sequence integer LEDGER sequence.
step integer Step within the event.
at instant When.
pool text Pool.
lead_id text Lead.
offer integer Number of the offer of the lead.
kind text How the turn came about.
counted boolean Whether it is a turn of the pool's rotation.
member text* Who got it.
seats text* Who was there: member=weight, and behind a bar those on leave whose share was kept for them.
`),
}

// viewNamed is the view of that name.
func viewNamed(name string) (view, bool) {
	for _, v := range viewList {
		if v.name == name {
			return v, true
		}
	}
	return view{}, false
}

func (v view) message() *feedbackv1.View {
	out := &feedbackv1.View{Name: v.name, Text: v.text}
	for _, c := range v.columns {
		out.Columns = append(out.Columns, &feedbackv1.ViewColumn{Name: c.name, Type: c.kind, Text: c.text})
	}
	return out
}

// ViewsPage is docs/views.md.
func ViewsPage() []byte {
	var b strings.Builder
	b.WriteString(`# Views for other tools

Written by ` + "`baton export --reference`" + ` from the texts that the program holds against its own database; do not edit it by hand.

What other tools may read of Baton are views: in the read model itself (SQLite, or PostgreSQL with ` + "`--sql-url`" + `), or as a stream
of rows that are all of one state of the tables:

` + "```sh" + `
baton export --list
baton export v_leads --out leads.csv
baton export v_stage_history --format ndjson
curl -H "Authorization: Bearer $BATON_TOKEN" localhost:8081/api/v1/views/v_leads/rows
` + "```" + `

Columns are added at the end of a view, never renamed or taken away. An instant is in UTC and in milliseconds where it is
exported, such as ` + "`2026-03-02T09:00:00.000Z`" + `. Nothing in a view is personal data of a lead. Columns marked with * name members: who sees no
names in reports sees ` + "`(others)`" + ` there, but for their own.
`)
	for _, v := range viewList {
		fmt.Fprintf(&b, "\n## %s\n\nOne row: %s%s\n\n| Column | Type | What it holds |\n|---|---|---|\n", v.name, strings.ToLower(v.text[:1]), v.text[1:])
		for _, c := range v.columns {
			star := ""
			if c.people {
				star = " *"
			}
			fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", c.name, star, c.kind, c.text)
		}
	}
	return []byte(b.String())
}

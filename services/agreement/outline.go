package agreement

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// Part is one part of the agreement as people read it. What they sign, what
// changes between two versions and what the pages show are all made of the same
// parts, and these of the same object by which the program decides.
type Part struct {
	// ID is stable: it names the part in links.
	ID, Title string
	// Note says what the part is for, in a sentence; empty where the title does.
	Note string
	// Columns are the labels of the lines, where the items make a table.
	Columns []string
	// Ordered says that the first item that holds decides.
	Ordered bool
	Items   []Item
}

// Item is one thing that was agreed: a stage, a criterion, a pool.
type Item struct {
	// ID is stable between versions: by it two versions are compared.
	ID, Title string
	Lines     []Line
	// Concerns names whom it binds or helps: departments, handles, people by title.
	Concerns []string
}

// Line is one statement about an item.
type Line struct {
	// Label says what the statement is about; empty = the item itself.
	Label string
	// Text is the statement in plain words; List what it enumerates, if it does.
	Text string
	List []string
	// All says that the list is meant with everything in it, not with one of it.
	All bool
	// Rule is the condition as the program evaluates it; empty = there is none.
	Rule string
	// each are the lines that one stands for, such as the days of "Monday to Friday".
	each []Line
}

// Said is the statement with its list.
func (l Line) Said() string {
	if l.All {
		return strings.TrimSpace(l.Text + " " + enumerate(l.List, "and"))
	}
	return saying{l.Text, l.List}.String()
}

// Outline is the agreement as people read it, part by part, in the order of
// signing. Parts without content are left out.
func (a *Agreement) Outline() []Part {
	all := []Part{
		a.partiesPart(), a.sectionPart("goals", "Goals", "What both departments want."),
		a.sectionPart("problems", "Problems", "What stands in the way."),
		a.glossaryPart(), a.rolesPart(), a.stagesPart(), a.profilePart(), a.personasPart(), a.signalsPart(),
		a.questionnairesPart(), a.nurturePart(), a.handoffsPart(), a.poolsPart(), a.oneOwnerPart(), a.calendarsPart(), a.holidaySetsPart(), a.reasonsPart(), a.movesPart(), a.clocksPart(),
		a.acceptedPart(), a.dispositionsPart(), a.dealStagesPart(), a.feedbackPart(), a.disputesPart(), a.purposesPart(),
		a.overlaysPart(), a.prioritiesPart(), a.sectionPart("responsibilities", "Responsibilities", ""),
		a.sectionPart("meetings", "Meetings", ""), a.answersPart(), a.touchesPart(), a.wordsPart(), a.validityPart(),
	}
	return slices.DeleteFunc(all, func(p Part) bool { return len(p.Items) == 0 })
}

var bothParties = []string{Marketing, Sales}

func (a *Agreement) partiesPart() Part {
	p := Part{ID: "parties", Title: "Parties"}
	for _, one := range []struct {
		id, title string
		party
	}{{Marketing, "Marketing", a.marketing}, {Sales, "Sales", a.sales}} {
		p.Items = append(p.Items, Item{ID: one.id, Title: one.title, Concerns: []string{one.id}, Lines: []Line{
			{Label: "Signs and is accountable", Text: one.accountable},
			{Label: "Public key", Text: "ed25519:" + base64.StdEncoding.EncodeToString(one.key)},
		}})
	}
	return p
}

// sectionPart is a part that is plain text for people.
func (a *Agreement) sectionPart(id, title, note string) Part {
	p := Part{ID: id, Title: title, Note: note}
	for _, s := range a.sections {
		name, below, _ := strings.Cut(s.Name, ".")
		if name != id {
			continue
		}
		item := Item{ID: below, Title: capital(below), Concerns: bothParties, Lines: []Line{{Text: s.Text}}}
		if below == Marketing || below == Sales {
			item.Concerns = []string{below}
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) glossaryPart() Part {
	p := Part{ID: "glossary", Title: "Glossary", Note: "The same word means the same thing in both departments."}
	for _, t := range a.glossary {
		p.Items = append(p.Items, Item{ID: t.Name, Title: t.Name, Concerns: bothParties, Lines: []Line{{Text: t.Text}}})
	}
	return p
}

// Labels of the matrix of responsibilities.
const (
	labelResponsible = "Responsible"
	labelAccountable = "Accountable"
	labelInformed    = "Informed"
	labelLongest     = "Stays at most"
)

func (a *Agreement) rolesPart() Part {
	p := Part{
		ID: "roles", Title: "Who answers for what", Note: "Who is responsible does the work, who is accountable answers for it, who is informed hears of it.",
		Columns: []string{labelResponsible, labelAccountable, labelInformed, labelLongest},
	}
	for i := range a.stages {
		s := &a.stages[i]
		p.Items = append(p.Items, Item{
			ID: stageNames[i], Title: stageTitle(s), Concerns: concerned(append(append([]string{s.Owner}, s.Responsible...), s.Informed...)...),
			Lines: []Line{
				{Label: labelResponsible, Text: orDash(strings.Join(s.Responsible, ", "))},
				{Label: labelAccountable, Text: s.Owner},
				{Label: labelInformed, Text: orDash(strings.Join(s.Informed, ", "))},
				{Label: labelLongest, Text: spelled(s.LeaveWithin)},
			},
		})
	}
	p.Items = append(p.Items, Item{ID: "nurture", Title: "With marketing (nurture)", Concerns: concerned(a.nurture.owner), Lines: []Line{
		{Label: labelResponsible, Text: "Marketing"},
		{Label: labelAccountable, Text: a.nurture.owner},
		{Label: labelInformed, Text: "–"},
		{Label: labelLongest, Text: spelled(a.nurture.recheckAfter) + ", then it is looked at again"},
	}})
	return p
}

// stageTitle is the stage as people call it, with its short name.
func stageTitle(s *stage) string {
	short := stageNames[s.Stage-leadv1.Stage_STAGE_LEAD]
	if strings.EqualFold(short, s.Title) {
		return s.Title
	}
	return s.Title + " (" + short + ")"
}

func (a *Agreement) stagesPart() Part {
	p := Part{ID: "stages", Title: "Stages", Note: "The way of a lead, and what makes it go on."}
	for i := range a.stages {
		s := &a.stages[i]
		item := Item{ID: stageNames[i], Title: stageTitle(s), Concerns: concerned(append([]string{s.Owner}, s.Responsible...)...), Lines: []Line{
			{Label: "Means", Text: s.Text}, {Label: "Comes in", Text: s.Enter}, {Label: "Goes on", Text: s.Exit},
		}}
		if len(s.requires) > 0 {
			line := Line{Label: "Must be known", Text: "these facts:", All: true}
			for _, v := range s.requires {
				line.List = append(line.List, v.words)
			}
			item.Lines = append(item.Lines, line)
		}
		for _, c := range s.criteria {
			line := ruleLine("The call must show “"+c.text+"” ("+c.id+")", c.when)
			if c.question != "" {
				line.Label += ", asked as “" + c.question + "”"
			}
			item.Lines = append(item.Lines, line)
		}
		if s.Stage == leadv1.Stage_STAGE_SQL {
			item.Lines = append(item.Lines, Line{Label: "Horizon", Text: fmt.Sprintf("wants to buy within %s", plural(a.horizon, "month", "months"))})
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// ruleLine says a condition in words, with the condition itself beside it.
func ruleLine(label string, c *condition) Line {
	line := Line{Label: label, Text: c.said.text, List: c.said.list}
	if c.program != nil {
		line.Rule = c.source
	}
	return line
}

const labelHolds = "Holds where"

func (a *Agreement) profilePart() Part {
	p := Part{ID: "profile", Title: "Customer profile", Note: "Who is a good customer. It matches where every must-have holds and the points suffice."}
	needed := "no points are needed: the must-haves decide alone"
	if a.profile.needed > 0 {
		needed = plural(a.profile.needed, "point is needed", "points are needed")
	}
	p.Items = append(p.Items, Item{ID: "", Title: "The whole profile", Concerns: bothParties, Lines: []Line{{Label: "Version", Text: a.profile.version}, {Label: "Points", Text: needed}}})
	for _, c := range a.profile.criteria {
		weight := "must hold"
		if !c.must {
			weight = "gives " + plural(c.points, "point", "points")
			if c.points < 0 {
				weight = "takes away " + plural(-c.points, "point", "points")
			}
		}
		if c.halves > 0 {
			weight += "; half of them are left " + spelled(c.halves) + " after the latest such touch, and so on"
		}
		p.Items = append(p.Items, Item{ID: c.id, Title: c.text, Concerns: bothParties, Lines: []Line{{Label: "Weight", Text: weight}, ruleLine(labelHolds, c.when)}})
	}
	return p
}

var influences = map[string]string{
	"initiator": "starts the search", "champion": "argues for us", "decider": "decides whether to buy", "user": "will use it", "brake": "can stop the purchase",
}

func (a *Agreement) personasPart() Part {
	p := Part{ID: "personas", Ordered: true, Title: "Personas", Note: "Who the person is in their company. The first that matches counts; a lead that matches none stays with marketing."}
	p.Items = append(p.Items, Item{ID: "", Title: "All personas", Concerns: bothParties, Lines: []Line{{Label: "Version", Text: a.personas.version}}})
	for _, one := range a.personas.list {
		p.Items = append(p.Items, Item{ID: one.id, Title: one.title, Concerns: bothParties, Lines: []Line{
			{Label: "Means", Text: one.text}, {Label: "Influence", Text: one.influence + " (" + influences[one.influence] + ")"}, ruleLine(labelHolds, one.when),
		}})
	}
	return p
}

func (a *Agreement) signalsPart() Part {
	p := Part{ID: "signals", Ordered: true, Title: "Signals", Note: "What shows that somebody wants to talk now: such a lead goes to sales at once, whatever its points, as long as every must-have holds."}
	for _, s := range a.signals {
		item := Item{ID: s.ID, Title: s.Title, Concerns: bothParties, Lines: []Line{{Label: "Means", Text: s.Text}, ruleLine(labelHolds, s.when)}}
		if s.TakeWithin > 0 {
			item.Lines = append(item.Lines, Line{Label: "Taken within", Text: spelled(s.TakeWithin) + " of working time"})
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) questionnairesPart() Part {
	p := Part{ID: "questionnaires", Title: "Questions in calls"}
	for _, q := range a.questionnaires {
		item := Item{ID: q.Stage.String(), Title: "Every call", Concerns: []string{"qualifiers"}, Lines: []Line{{Label: "Version", Text: q.Version}}}
		if q.Stage != leadv1.Stage_STAGE_UNSPECIFIED {
			item.Title = "Calls about leads of stage " + stageTitle(&a.stages[q.Stage-leadv1.Stage_STAGE_LEAD])
		}
		if q.Text != "" {
			item.Lines = append(item.Lines, Line{Label: "For", Text: q.Text})
		}
		for _, one := range q.Questions {
			line := one.line()
			if one.Text != "" {
				line.Label += " (" + one.ID + ")"
			}
			item.Lines = append(item.Lines, line)
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// line is a question with the answers that it takes.
func (q *Question) line() Line {
	line := Line{Label: q.Text}
	if q.Text == "" {
		line.Label = q.ID
	}
	switch q.Type {
	case kindText:
		line.Text, line.List = "one of these:", q.Values
	case kindNumber:
		line.Text = "a number"
		if q.Scale > 0 {
			line.Text += " with " + plural(q.Scale, "decimal place", "decimal places")
		}
		if q.Unit != "" {
			line.Text += ", in " + q.Unit
		}
	default:
		line.Text = "yes or no"
	}
	switch q.Decides {
	case DecidesFit:
		line.Text += "; decides whether the profile is confirmed"
	case DecidesHorizon:
		line.Text += "; decides the horizon"
	}
	return line
}

func (a *Agreement) nurturePart() Part {
	n := a.nurture
	p := Part{ID: "nurture", Title: "Leads that stay with marketing", Note: "Nothing is forgotten: what is overdue is listed, and each lead is looked at again by itself."}
	back := "somebody else gets it again, not whoever sent it back"
	if n.same {
		back = "whoever sent it back may get it again"
	}
	p.Items = append(p.Items, Item{ID: "", Title: "Rules", Concerns: concerned(n.owner), Lines: []Line{
		{Label: "Accountable", Text: n.owner}, {Label: "Looked at again", Text: "after " + spelled(n.recheckAfter) + " at the latest"}, {Label: "Comes back to sales", Text: back},
	}})
	for i, step := range n.plan {
		after := spelled(step.After) + " after the step before"
		if i == 0 {
			after = spelled(step.After) + " after the lead came to marketing"
		}
		p.Items = append(p.Items, Item{ID: "step " + strconv.Itoa(i+1), Title: "Step " + strconv.Itoa(i+1), Concerns: concerned(n.owner), Lines: []Line{
			{Label: "What", Text: step.Text}, {Label: "When", Text: after}, {Label: "Done when", Text: "a touch “" + step.Touch + "” is recorded"},
		}})
	}
	return p
}

// bounds says from when until when something holds.
func bounds(from, until time.Time) string {
	switch {
	case from.IsZero() && until.IsZero():
		return "as long as this version is in force"
	case until.IsZero():
		return "from " + moment(from)
	case from.IsZero():
		return "until " + moment(until)
	}
	return "from " + moment(from) + " until " + moment(until)
}

func (a *Agreement) overlaysPart() Part {
	p := Part{ID: "overlays", Ordered: true, Title: "Exceptions", Note: "They end by themselves at the stated time."}
	for _, o := range a.overlays {
		item := Item{ID: o.ID, Title: o.Text, Concerns: bothParties, Lines: []Line{{Label: "Time", Text: bounds(o.From, o.Until)}, ruleLine(labelHolds, o.when)}}
		if o.when.program == nil {
			item.Lines[1].Text = "any lead"
		}
		if o.PointsNeeded != nil {
			item.Lines = append(item.Lines, Line{Label: "Points", Text: plural(*o.PointsNeeded, "point is needed", "points are needed")})
		}
		if o.Pool != "" {
			item.Lines = append(item.Lines, Line{Label: "Go to", Text: a.poolTitle(o.Pool)})
			item.Concerns = concerned(append(slices.Clone(bothParties), a.membersOf(o.Pool)...)...)
		}
		if o.TakeWithin > 0 {
			item.Lines = append(item.Lines, Line{Label: "Taken within", Text: spelled(o.TakeWithin) + " of working time"})
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) prioritiesPart() Part {
	p := Part{ID: "priorities", Title: "Priorities", Note: "Which department takes precedence where the two want different things."}
	for _, one := range a.priorities {
		item := Item{ID: one.ID, Title: one.Scope, Concerns: bothParties, Lines: []Line{
			{Label: "Takes precedence", Text: one.Leads}, {Label: "Means", Text: one.Text}, {Label: "Time", Text: bounds(one.From, one.Until)},
		}}
		if item.Title == "" {
			item.Title = "Everything"
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) answersPart() Part {
	p := Part{ID: "answers", Title: "What forms ask", Note: "Answers that the rules can read. Everything else that people type is sealed."}
	for i := range a.answers {
		q := &a.answers[i]
		line := q.line()
		item := Item{ID: q.ID, Title: line.Label, Concerns: []string{Marketing}, Lines: []Line{{Label: "Answer", Text: line.Text, List: line.List}}}
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(a.answerKeys)) {
			if a.answerKeys[key] == i {
				keys = append(keys, "“"+strings.TrimSpace(key)+"”")
			}
		}
		item.Lines = append(item.Lines, Line{Label: "Sent by forms as", List: keys})
		for _, word := range q.Values {
			if also := q.values.synonyms(word); len(also) > 0 {
				item.Lines = append(item.Lines, Line{Label: "As “" + word + "” counts", Text: "also", List: also, All: true})
			}
		}
		p.Items = append(p.Items, item)
	}
	return p
}

func (a *Agreement) touchesPart() Part {
	p := Part{ID: "touches", Title: "What is counted as a touch"}
	for _, t := range a.touches {
		p.Items = append(p.Items, Item{ID: t.Name, Title: t.Name, Concerns: []string{Marketing}, Lines: []Line{{Text: t.Text}}})
	}
	return p
}

func (a *Agreement) wordsPart() Part {
	p := Part{ID: "words", Title: "Words that the rules know", Note: "What people type into a form is brought to one of these words; capitals, accents and punctuation do not matter."}
	for _, l := range []struct {
		id    string
		words wordList
	}{{Industries, a.industries}, {Roles, a.roles}, {Products, a.products}} {
		if len(l.words.words) == 0 {
			continue
		}
		item := Item{ID: l.id, Title: capital(l.id), Concerns: bothParties}
		for _, word := range l.words.words {
			line := Line{Label: word, Text: "written so only"}
			if also := l.words.synonyms(word); len(also) > 0 {
				line = Line{Label: word, Text: "also", List: also, All: true}
			}
			item.Lines = append(item.Lines, line)
		}
		p.Items = append(p.Items, item)
	}
	return p
}

// synonyms are the other spellings of a word, as the document writes them.
func (l *wordList) synonyms(word string) []string {
	var out []string
	for _, p := range l.phrases {
		if p.word == word && p.folded != fold(word) {
			out = append(out, p.written)
		}
	}
	return out
}

func (a *Agreement) validityPart() Part {
	from := "from the moment at which both have signed"
	if a.hasStart {
		from = "from " + moment(a.inForce) + ", if both have signed by then; else from the moment at which both have"
	}
	lines := []Line{{Label: "In force", Text: from + ", until a later version is"}}
	if !a.baseline.IsZero() {
		lines = append(lines, Line{Label: "Reports count", Text: "from " + moment(a.baseline) + ", unless somebody asks for earlier"})
	}
	if a.year.Zone != nil {
		lines = append(lines,
			Line{Label: "A year of reports starts", Text: "in " + a.year.Starts.String()},
			Line{Label: "Days, weeks, months and quarters of reports", Text: "begin by the time zone " + a.year.Zone.String()},
		)
	}
	return Part{ID: "validity", Title: "When it counts", Items: []Item{{Concerns: bothParties, Lines: lines}}}
}

// concerned keeps each name once, in order, without blanks.
func concerned(names ...string) []string {
	var out []string
	for _, name := range names {
		if name != "" && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

func capital(text string) string {
	if text == "" {
		return ""
	}
	r := []rune(text)
	return strings.ToUpper(string(r[0])) + string(r[1:])
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + many
}

// spelled is a duration in words; a day is 24 hours.
func spelled(d time.Duration) string {
	var out []string
	for _, u := range []struct {
		size      time.Duration
		one, many string
	}{{24 * time.Hour, "day", "days"}, {time.Hour, "hour", "hours"}, {time.Minute, "minute", "minutes"}, {time.Second, "second", "seconds"}} {
		if n := d / u.size; n > 0 {
			out = append(out, plural(int64(n), u.one, u.many))
			d %= u.size
		}
	}
	if len(out) == 0 {
		return "no time"
	}
	return strings.Join(out, " ")
}

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func date(t time.Time) string { return t.UTC().Format("2 January 2006") }

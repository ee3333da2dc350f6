package agreement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	"github.com/leadbaton/baton/services/internal/ledger"
)

// SupplyDays is over how many days the leads of a source are counted, today
// among them. Days are those of UTC.
const SupplyDays = 90

// Supply is the fold of which source states which facts: what each lead of the
// last days stated, as far as conditions can ask for it. History that was
// imported and what was refused at the door do not count. It holds some hundred
// bytes for each lead of that time, and lets it go afterwards.
type Supply struct {
	sources map[string]*supplier
	leads   map[string]*supplied
	// queue is the leads by the day on which they became known.
	queue []arrived
	// statements are the combinations of facts that leads stated, each once.
	statements map[string]*statement
	// touched is the last day on which a kind of touch was reported.
	touched map[string]int64
	facts   []*variable
}

type supplier struct {
	id, name string
	leads    map[cell]int64
}

// cell is what is counted: how many leads of a day stated the same facts.
type cell struct {
	day  int64
	said *statement
}

type supplied struct {
	from *supplier
	cell
}

type arrived struct {
	subject string
	day     int64
}

// statement is one combination of facts: features of some lead that stated them,
// and the kinds of touches.
type statement struct {
	features *leadv1.Features
	touches  []string
}

// NewSupply is the fold of nothing.
func NewSupply() *Supply {
	return &Supply{
		sources: map[string]*supplier{}, leads: map[string]*supplied{}, statements: map[string]*statement{}, touched: map[string]int64{},
		facts: leadGroup(&Agreement{}).variables,
	}
}

func dayOf(t time.Time) int64 { return floorDiv(t.Unix(), daySeconds) }

// Apply folds one event.
func (s *Supply) Apply(e *ledger.Event) {
	switch body := e.Body.(type) {
	case *leadv1.LeadReceived:
		if body.GetHistorical() {
			return
		}
		day := dayOf(e.Recorded)
		s.forget(day - SupplyDays)
		from := s.sources[body.GetSourceId()]
		if from == nil {
			from = &supplier{id: body.GetSourceId(), leads: map[cell]int64{}}
			s.sources[from.id] = from
		}
		// A source may have another name by now; the last one is what people know.
		from.name = body.GetSource()
		s.leads[e.Subject] = &supplied{from, cell{day, s.statement(body.GetFeatures(), nil)}}
		s.queue = append(s.queue, arrived{e.Subject, day})
		from.leads[s.leads[e.Subject].cell]++
	case *leadv1.SubmissionRevised:
		if !body.GetConflict() {
			s.says(e.Subject, body.GetFeatures())
		}
	case *leadv1.LeadRemapped:
		s.says(e.Subject, body.GetFeatures())
	case *leadv1.TouchAdded:
		s.touched[body.GetKind()] = dayOf(e.Recorded)
		if l := s.leads[e.Subject]; l != nil && !slices.Contains(l.said.touches, body.GetKind()) {
			l.changes(s.statement(l.said.features, append(slices.Clone(l.said.touches), body.GetKind())))
		}
	case *leadv1.LeadRefused:
		s.drop(e.Subject)
	}
}

func (s *Supply) says(subject string, features *leadv1.Features) {
	if l := s.leads[subject]; l != nil {
		l.changes(s.statement(features, l.said.touches))
	}
}

func (l *supplied) changes(to *statement) {
	l.count(-1)
	l.said = to
	l.count(1)
}

func (l *supplied) count(n int64) {
	if l.from.leads[l.cell] += n; l.from.leads[l.cell] == 0 {
		delete(l.from.leads, l.cell)
	}
}

func (s *Supply) drop(subject string) {
	if l := s.leads[subject]; l != nil {
		l.count(-1)
		delete(s.leads, subject)
	}
}

// forget lets go of the leads that became known on that day or before.
func (s *Supply) forget(day int64) {
	for len(s.queue) > 0 && s.queue[0].day <= day {
		s.drop(s.queue[0].subject)
		s.queue = s.queue[1:]
	}
}

// statement finds the combination that these facts are.
func (s *Supply) statement(features *leadv1.Features, touches []string) *statement {
	facts := Facts{Features: features}
	var key strings.Builder
	for _, v := range s.facts {
		if v.stated(&facts) {
			key.WriteByte('1')
		} else {
			key.WriteByte('0')
		}
	}
	var answers []string
	// any order: they are sorted below
	for id, value := range features.GetAnswers() {
		switch kind := value.GetKind().(type) {
		case *leadv1.Value_Text:
			if kind.Text != "" {
				answers = append(answers, "t"+id)
			}
		case *leadv1.Value_Number:
			answers = append(answers, "n"+id)
		case *leadv1.Value_Flag:
			answers = append(answers, "f"+id)
		}
	}
	slices.Sort(answers)
	slices.Sort(touches)
	key.WriteString("\x00" + strings.Join(answers, "\x01") + "\x00" + strings.Join(touches, "\x01"))
	known := s.statements[key.String()]
	if known == nil {
		known = &statement{features, touches}
		s.statements[key.String()] = known
	}
	return known
}

// SourceSupply is how many leads of a source state a fact.
type SourceSupply struct {
	SourceID, Source string
	Leads, Stated    int64
}

// Of counts, for each field, the leads of each source that state it; sources by
// name, those without leads left out.
func (s *Supply) Of(fields []Field, now time.Time) [][]SourceSupply {
	first := dayOf(now) - SupplyDays
	var sources []*supplier
	// any order: they are sorted below
	for _, from := range s.sources {
		sources = append(sources, from)
	}
	slices.SortFunc(sources, func(a, b *supplier) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
	out := make([][]SourceSupply, len(fields))
	for _, from := range sources {
		said, leads := map[*statement]int64{}, int64(0)
		// any order: they are added up
		for c, n := range from.leads {
			if c.day > first {
				said[c.said] += n
				leads += n
			}
		}
		if leads == 0 {
			continue
		}
		for i := range fields {
			if fields[i].OfCall() {
				continue
			}
			one := SourceSupply{SourceID: from.id, Source: from.name, Leads: leads}
			// any order: they are added up
			for c, n := range said {
				if fields[i].States(c.features, func(kind string) bool { return slices.Contains(c.touches, kind) }) {
					one.Stated += n
				}
			}
			out[i] = append(out[i], one)
		}
	}
	return out
}

// mostNamed bounds how many rules or sources one notice names.
const mostNamed = 4

// Unsupplied says in words which fields rules use and no source supplies.
func (s *Supply) Unsupplied(fields []Field, supply [][]SourceSupply, now time.Time) (notices []string) {
	for i, f := range fields {
		if len(f.UsedBy) == 0 || f.OfCall() {
			continue
		}
		if len(supply[i]) == 0 {
			return []string{fmt.Sprintf("no source has sent a lead in the last %d days, so that nothing is known of which facts they state", SupplyDays)}
		}
		used := make([]string, len(f.UsedBy))
		for j, named := range f.UsedBy {
			used[j] = "the " + named
		}
		said := f.Name + " is used by " + all(few(used))
		if kind := f.variable.touch; kind != "" {
			if last, ever := s.touched[kind]; !ever || last <= dayOf(now)-SupplyDays {
				notices = append(notices, fmt.Sprintf("%s; nobody has reported a touch of this kind in the last %d days", said, SupplyDays))
			}
			continue
		}
		if slices.ContainsFunc(supply[i], func(one SourceSupply) bool { return one.Stated > 0 }) {
			continue
		}
		var from []string
		for _, one := range supply[i] {
			from = append(from, fmt.Sprintf("%s: 0 of %s", one.Source, leadCount(one.Leads)))
		}
		notices = append(notices, fmt.Sprintf("%s; no source has stated it in the last %d days (%s)", said, SupplyDays, strings.Join(few(from), ", ")))
	}
	return notices
}

// few names the first of many.
func few(list []string) []string {
	if len(list) <= mostNamed {
		return list
	}
	return append(slices.Clone(list[:mostNamed]), fmt.Sprintf("%d more", len(list)-mostNamed))
}

func leadCount(n int64) string {
	if n == 1 {
		return "1 lead"
	}
	return fmt.Sprintf("%d leads", n)
}

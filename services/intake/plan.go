package intake

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
)

// plan is a mapping made ready: what the user settled comes before what the
// preset says. What it leaves open is found by itself; a nil plan leaves all
// open. It is shared and never changed.
type plan struct {
	name     string // as the lead records it
	items    spot
	id       [][]spot // each the first with a value; all must have one
	replaces [][]spot // ids of what it takes the place of, each the first with a value
	later    [][]spot // ids of what took its place
	event    []spot
	events   map[string]string
	embedded []spot
	pairs    []pairPlan
	fields   []*fieldPlan
	tests    []testPlan
	labels   map[string]string
	consents []consentPlan
}

type fieldPlan struct {
	name      string
	field     field // fieldNone = kept under this name
	ignore    bool
	paths     []spot
	separator string
	how       how
}

type pairPlan struct {
	list        spot
	key         []spot
	label, kind spot
	value       spot
	byType      bool
}

type testPlan struct {
	path  spot
	value string
}

type consentPlan struct {
	purpose    string
	path, text spot
}

// underType is the path of a value that stands under the member that the kind
// names.
const underType = "@type"

// ignoreField is what a mapping calls an answer that is not kept.
const ignoreField = "ignore"

var presetPlans = sync.OnceValue(func() map[string]*plan {
	out := map[string]*plan{}
	for _, p := range Presets() {
		if p.GetMapping() != nil {
			out[p.GetName()] = (&plan{name: p.GetName()}).with(p.GetMapping(), byPreset)
		}
	}
	return out
})

// planOf is how a source's bodies are read; nil = they map themselves.
func planOf(src *intakev1.SourceDeclared) *plan {
	preset := presetPlans()[src.GetPreset()]
	if !settles(src.GetMapping()) {
		return preset
	}
	p := &plan{name: src.GetPreset() + "+" + strconv.FormatInt(src.GetVersion(), 10)}
	p.with(src.GetMapping(), bySettled)
	if preset != nil {
		p.behind(preset)
	}
	return p
}

func settles(m *intakev1.Mapping) bool {
	return len(m.GetFields())+len(m.GetPairs())+len(m.GetId())+len(m.GetEvents())+len(m.GetTests())+
		len(m.GetLabels())+len(m.GetConsents())+len(m.GetEmbedded())+len(m.GetReplaces())+len(m.GetReplacedBy()) > 0 || m.GetItems() != "" || m.GetEvent() != ""
}

func (p *plan) with(m *intakev1.Mapping, by how) *plan {
	if m.GetItems() != "" {
		p.items = parsePath(m.GetItems())
	}
	for _, id := range m.GetId() {
		p.id = append(p.id, alternatives(id))
	}
	for _, id := range m.GetReplaces() {
		p.replaces = append(p.replaces, alternatives(id))
	}
	for _, id := range m.GetReplacedBy() {
		p.later = append(p.later, alternatives(id))
	}
	if m.GetEvent() != "" {
		p.event = alternatives(m.GetEvent())
	}
	p.events, p.labels = m.GetEvents(), m.GetLabels()
	p.embedded = parsePaths(m.GetEmbedded())
	for _, l := range m.GetPairs() {
		pair := pairPlan{list: parsePath(l.GetList()), key: parsePaths(l.GetKey()), label: parsePath(l.GetLabel()), kind: parsePath(l.GetType())}
		if pair.byType = l.GetValue() == underType; !pair.byType {
			pair.value = parsePath(l.GetValue())
		}
		p.pairs = append(p.pairs, pair)
	}
	for _, f := range m.GetFields() {
		p.fields = append(p.fields, &fieldPlan{
			name: f.GetField(), field: fieldNamed(f.GetField()), ignore: f.GetField() == ignoreField,
			paths: parsePaths(f.GetPaths()), separator: f.GetSeparator(), how: by,
		})
	}
	for _, t := range m.GetTests() {
		p.tests = append(p.tests, testPlan{path: parsePath(t.GetPath()), value: t.GetValue()})
	}
	for _, c := range m.GetConsents() {
		p.consents = append(p.consents, consentPlan{purpose: c.GetPurpose(), path: parsePath(c.GetPath()), text: parsePath(c.GetText())})
	}
	return p
}

// behind puts another plan behind this one.
func (p *plan) behind(q *plan) {
	if p.items.text == "" {
		p.items = q.items
	}
	if p.id == nil {
		p.id, p.replaces, p.later = q.id, slices.Concat(p.replaces, q.replaces), slices.Concat(p.later, q.later)
	}
	if p.event == nil {
		p.event = q.event
	}
	if len(p.events) == 0 {
		p.events = q.events
	}
	labels := map[string]string{}
	for _, from := range []map[string]string{q.labels, p.labels} {
		for k, v := range from { // any order: each key is written once by each
			labels[k] = v
		}
	}
	p.labels = labels
	p.embedded = slices.Concat(p.embedded, q.embedded)
	p.pairs = slices.Concat(p.pairs, q.pairs)
	p.fields = slices.Concat(p.fields, q.fields)
	p.tests = slices.Concat(p.tests, q.tests)
	p.consents = slices.Concat(p.consents, q.consents)
}

// MappingHeaders are the headers, in lower case, that the mapping of a source
// reads: the door keeps them with the body.
func MappingHeaders(src *intakev1.SourceDeclared) []string {
	p := planOf(src)
	if p == nil {
		return nil
	}
	return p.headers()
}

func (p *plan) headers() []string {
	var out []string
	add := func(paths ...spot) {
		for _, at := range paths {
			if name, ok := strings.CutPrefix(at.text, headerPrefix); ok {
				out = append(out, name)
			}
		}
	}
	for _, part := range slices.Concat(p.id, p.replaces, p.later) {
		add(part...)
	}
	add(p.event...)
	for _, f := range p.fields {
		add(f.paths...)
	}
	for _, t := range p.tests {
		add(t.path)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// pairsAt is how the list at a path is laid out; nil = it is not said.
func (p *plan) pairsAt(at string) *pairPlan {
	if p == nil {
		return nil
	}
	for i := range p.pairs {
		if inside, ok := p.pairs[i].list.matches(at); ok && inside == "" {
			return &p.pairs[i]
		}
	}
	return nil
}

// maxParts is how many values one answer may be divided into. What is behind
// the last divider stays together.
const maxParts = 100

// mark says of each leaf of an item what the plan takes it for. Headers become
// leaves first.
func (p *plan) mark(item *Item, n int, headers map[string]string) {
	item.plan = p
	if p == nil {
		return
	}
	for _, name := range p.headers() {
		if v := headers[name]; v != "" {
			var notes notes
			item.Leaves = append(item.Leaves, Leaf{Path: headerPrefix + name, Key: name, Value: notes.clean(v), rank: rankAside, origin: fromHeader})
		}
	}
	p.markID(item, n)
	item.renamed = len(p.replaces)+len(p.later) > 0
	item.replaces, item.later = named(item, p.replaces), named(item, p.later)
	if kind, ok := firstAt(item.Leaves, p.event); ok {
		item.event = item.Leaves[kind].Value
	}
	for _, t := range p.tests {
		for _, i := range leavesAt(item.Leaves, t.path) {
			value := strings.TrimSpace(item.Leaves[i].Value)
			yes, ok := Flag(value)
			if t.value != "" && value == t.value || t.value == "" && ok && yes {
				item.test = true
			}
		}
	}
	divided := false
	for _, f := range p.fields {
		for _, at := range f.paths {
			found := false
			for i := range item.Leaves {
				l := &item.Leaves[i]
				inside, ok := at.matches(l.Path)
				if !ok || l.claim != nil || !f.ignore && strings.TrimSpace(l.Value) == "" {
					continue
				}
				l.claim, l.inside, found = f, inside, true
				divided = divided || f.separator != "" && strings.Contains(l.Value, f.separator)
			}
			if found && !f.ignore {
				break
			}
		}
	}
	if divided {
		item.divide()
	}
}

// markID finds the sender's own id. A header names the request, so where it
// alone names several submissions they are numbered.
func (p *plan) markID(item *Item, n int) {
	var parts []string
	var from []int
	own := false
	for _, part := range p.id {
		i, ok := firstAt(item.Leaves, part)
		if !ok {
			return
		}
		own = own || item.Leaves[i].origin != fromHeader
		parts, from = append(parts, strings.TrimSpace(item.Leaves[i].Value)), append(from, i)
	}
	id := strings.Join(parts, "")
	if len(parts) > 1 {
		// Unambiguous, whatever the parts hold.
		for i := range parts {
			parts[i] = strings.NewReplacer(`\`, `\\`, "|", `\|`).Replace(parts[i])
		}
		id = strings.Join(parts, "|")
	}
	if !own && n > 0 {
		id += "#" + strconv.Itoa(n)
	}
	if len(parts) == 0 || len(id) > MaxKey {
		return
	}
	item.id = id
	for _, i := range from {
		item.Leaves[i].isID = true
	}
}

func firstAt(leaves []Leaf, paths []spot) (int, bool) {
	for _, at := range paths {
		if found := leavesAt(leaves, at); len(found) > 0 {
			return found[0], true
		}
	}
	return 0, false
}

// divide makes several answers of one text where the mapping says what divides
// them.
func (item *Item) divide() {
	out := make([]Leaf, 0, len(item.Leaves)+8)
	for _, l := range item.Leaves {
		if l.claim == nil || l.claim.separator == "" {
			out = append(out, l)
			continue
		}
		for _, part := range strings.SplitN(l.Value, l.claim.separator, maxParts) {
			if l.Value = strings.TrimSpace(part); l.Value != "" {
				out = append(out, l)
			}
		}
	}
	item.Leaves = out
}

package intake

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// shape splits a tree into submissions and flattens each into leaves. It knows
// the handful of ways in which form tools lay out answers: flat, nested, lists
// of question and answer, and values boxed with their label or history. Where a
// plan says how a list is laid out, that counts.
func shape(t tree, p *plan) ([]Item, error) {
	subs, around, err := split(t.root, p)
	if err != nil {
		return nil, err
	}
	outside := surroundings(t, subs, around)
	var items []Item
	for i, sub := range subs {
		s := shaper{from: t.from, plan: p, labels: map[string]string{}}
		if p != nil {
			maps.Copy(s.labels, p.labels)
		}
		s.collectLabels(sub, 0)
		s.collectQuestions(sub)
		s.walk(sub, place{rank: rankPlain})
		// What all share is said with each, unless that would make a flood of it.
		if i == 0 || len(outside)*len(subs) <= maxNodes {
			s.leaves = append(s.leaves, outside...)
		}
		if s.over || len(s.leaves) > MaxLeaves {
			return nil, tooManyLeaves()
		}
		items = append(items, Item{Leaves: s.leaves, Notes: t.notes})
	}
	return items, nil
}

// surroundings are the leaves of a body outside of its submissions.
func surroundings(t tree, subs []*node, around bool) []Leaf {
	if !around {
		return nil
	}
	s := shaper{from: t.from, labels: map[string]string{}, skip: make(map[*node]bool, len(subs))}
	for _, sub := range subs {
		s.skip[sub] = true
	}
	s.walk(t.root, place{rank: rankAside})
	for i := range s.leaves {
		s.leaves[i].Path, s.leaves[i].around = aroundPrefix+s.leaves[i].Path, true
	}
	return s.leaves
}

// split finds the submissions of one body: where the plan says, each object of
// a list at the root, each change of a change feed, else the whole. It answers
// whether something may stand around them.
func split(root *node, p *plan) (subs []*node, around bool, err error) {
	if p != nil && p.items.text != "" {
		p.items.each(root, func(n *node) {
			if n.kind == kindArray {
				subs = append(subs, n.list...)
			} else if n.kind == kindObject {
				subs = append(subs, n)
			}
		})
		around = subs != nil
	}
	if subs == nil {
		subs, around = guess(root)
	}
	if len(subs) > MaxItems {
		return nil, false, tooManyItems()
	}
	return subs, around, nil
}

func guess(root *node) (subs []*node, around bool) {
	switch root.kind {
	case kindNull:
		return nil, false
	case kindArray:
		if len(root.list) == 0 {
			return nil, false
		}
		if isPairs(root, true) {
			return []*node{root}, false
		}
		for _, el := range root.list {
			if el.kind != kindObject {
				return []*node{root}, false
			}
		}
		return root.list, false
	case kindObject:
		if changes := changeFeed(root); changes != nil {
			return changes, true
		}
	}
	return []*node{root}, false
}

// changeFeed finds entry[].changes[], where every change is one submission.
func changeFeed(root *node) []*node {
	entries := root.get("entry")
	if entries == nil || entries.kind != kindArray {
		return nil
	}
	var changes []*node
	for _, entry := range entries.list {
		if entry.kind != kindObject {
			return nil
		}
		list := entry.get("changes")
		if list == nil || list.kind != kindArray {
			return nil
		}
		changes = append(changes, list.list...)
	}
	return changes
}

type shaper struct {
	from   origin
	plan   *plan
	skip   map[*node]bool // the submissions, where what is around them is walked
	leaves []Leaf
	labels map[string]string // question id or ref → what the person saw
	asked  map[*node]bool    // objects that hold only the questions, by the keys of the answers
	over   bool
}

// place is where a value stands.
type place struct {
	path    string
	key     string
	parents []string // normalised
	rank    rank
}

var (
	// answersIn are names of objects that hold the person's answers.
	answersIn = set("data", "fields", "formfields", "formdata", "answers", "submission", "properties", "lead", "contact", "hidden", "rawrequest", "datajson")
	// asideIn are names of objects about the form or the page.
	asideIn = set("meta", "metadata", "definition", "schema", "form", "context", "site", "page", "scheduling", "payments", "calculations", "quiz", "tracking", "urlparameters", "variables", "ending", "referrer", "consent", "legalconsentoptions")
	// foreignIn are names of objects about somebody other than the person.
	foreignIn = set("owner", "author", "account", "agent", "assignee", "host", "organizer", "submitter", "operator", "bot", "assistant", "salesrep", "representative", "moderator",
		"bearbeiter", "berater", "betreuer", "sachbearbeiter", "veranstalter", "empfanger", "agente", "operador", "asesor", "gestor", "propietario", "organizador", "conseiller", "operateur", "responsable", "organisateur", "proprietaire", "destinataire")
)

func (p place) child(name string) place {
	word := norm(name)
	c := place{path: join(p.path, name), key: name, rank: p.rank}
	c.parents = p.parents
	if p.key != "" {
		c.parents = append(c.parents[:len(c.parents):len(c.parents)], norm(p.key))
	}
	switch {
	case p.rank == rankForeign:
	case word == "associatedcompany":
		c.rank = rankAside
	case foreignIn[word] || strings.HasPrefix(word, "associated"):
		c.rank = rankForeign
	case p.rank == rankAside:
	case asideIn[word]:
		c.rank = rankAside
	case answersIn[word], asking[word]:
		c.rank = rankAnswer
	}
	return c
}

func (p place) at(i int) place {
	p.path += "[" + strconv.Itoa(i) + "]"
	return p
}

func (s *shaper) emit(l Leaf) {
	if len(s.leaves) >= MaxLeaves {
		s.over = true
		return
	}
	s.leaves = append(s.leaves, l)
}

func (s *shaper) leaf(p place, key, label, typ string, value *node, from origin) {
	if value.kind == kindNull {
		return
	}
	switch {
	case value.kind == kindFile:
		typ = typeFile
	case isFileType(typ) && value.kind == kindText:
		typ = typeFile
		value = &node{kind: kindText, text: fileLink(value.text)}
	}
	if label == key {
		label = ""
	}
	s.emit(Leaf{Path: p.path, Key: key, Label: label, Type: typ, Value: value.text, parents: p.parents, rank: p.rank, origin: from})
}

func (s *shaper) walk(n *node, p place) {
	if s.over || s.skip[n] {
		return
	}
	switch n.kind {
	case kindObject:
		if p.key != "" && boxed(n) {
			label := firstText(n, "title", "label", "name")
			s.answer(n.get("value"), p, p.key, label, firstText(n, "type"), n.get("options"), s.from)
			for _, name := range []string{"label", "name"} { // besides the one that counts
				if v := n.get(name); v != nil && v.text != label && v.text != p.key {
					c := p.child(name)
					c.rank = max(c.rank, rankAside)
					s.walk(v, c)
				}
			}
			return
		}
		if text, typ := whole(n, ""); p.key != "" && typ != "" {
			s.leaf(p, p.key, s.labels[p.key], typ, &node{kind: kindText, text: text}, s.from)
			return
		}
		if elements := elementsOf(n); elements != nil && s.twins(elements, p) {
			return
		}
		names, row := headed(n)
		for i := range n.members {
			m := &n.members[i]
			c := p.child(m.name)
			switch {
			case m == names:
			case m == row:
				for j, el := range m.value.list {
					s.leaf(c.at(j), names.value.list[j].text, "", "", el, fromPair)
				}
			case isDefinition(m.name, m.value), s.asked[m.value]:
			case m.value.scalar() || m.value.kind == kindObject && len(m.value.members) > 0 || m.value.kind == kindArray && len(m.value.list) > 0:
				s.walk(m.value, c)
			}
		}
	case kindArray:
		pairs := s.plan.pairsAt(p.path)
		if pairs != nil || isPairs(n, p.key == "") {
			if p.rank == rankPlain {
				p.rank = rankAnswer
			}
			for i, el := range n.list {
				s.pair(el, p, i, pairs)
			}
			return
		}
		elements := make([]element, 0, len(n.list))
		for _, el := range n.list {
			elements = append(elements, element{node: el})
		}
		if p.key != "" && s.twins(elements, p) {
			return
		}
		for i, el := range n.list {
			s.walk(el, p.at(i))
		}
	default:
		key := p.key
		if key == "" {
			key = "message" // a bare value is what somebody wrote
			p.path = join(p.path, key)
		}
		s.leaf(p, key, s.labels[key], "", n, s.from)
		if s.from == fromText {
			for _, line := range namedLines(n.text) {
				c := p
				c.path = join(p.path, line.name)
				s.leaf(c, line.name, "", "", line.value, fromPair)
			}
		}
	}
}

// Names of the members of a question-and-answer pair, best first.
var (
	pairKeys    = []string{"key", "ref", "column_id", "name", "id", "question", "questionId", "title", "label", "column_name"}
	pairLabels  = []string{"label", "title", "column_name", "question", "name"}
	pairValues  = []string{"value", "string_value", "answer", "values", "answerDetails"}
	weakValues  = []string{"text", "email", "phone_number", "number", "boolean"}
	labelSource = []string{"id", "ref", "key", "name", "fieldElementId"}
)

// pairValue finds the value of a pair: by its usual name, or under the member
// that its type names.
func pairValue(n *node, strict bool) *node {
	for _, name := range pairValues {
		if v := n.get(name); v != nil {
			return v
		}
	}
	typ := n.get("type")
	if typ != nil && typ.kind == kindText {
		if v := n.get(typ.text); v != nil {
			return v
		}
	}
	// A bare text or email beside a name or a title is a person, not a pair.
	if strict || n.get("name") != nil || n.get("title") != nil {
		return nil
	}
	for _, name := range weakValues {
		if v := n.get(name); v != nil {
			return v
		}
	}
	return nil
}

func pairKey(n *node) string {
	for _, name := range pairKeys {
		if name == "name" {
			if field := n.get("field"); field != nil && field.kind == kindObject {
				if key := firstText(field, "ref", "key", "name", "id"); key != "" {
					return key
				}
			}
		}
		if v := n.get(name); v != nil && v.scalar() && v.text != "" {
			return v.text
		}
	}
	return ""
}

// isPairs says whether a list is one of questions and answers. At the root only
// unmistakable value names count, because a list of people looks alike.
func isPairs(n *node, root bool) bool {
	for _, el := range n.list {
		if el.kind != kindObject || pairKey(el) == "" {
			return false
		}
		if pairValue(el, root) == nil && !unanswered(el, root) {
			return false
		}
	}
	return len(n.list) > 0
}

// unanswered says whether a pair is one whose value the sender left out.
func unanswered(n *node, root bool) bool {
	return !root && n.get("column_id") != nil || n.get("question") != nil && n.get("position") != nil
}

// besideAnswers are members of a pair that say something about the question.
var besideAnswers = set("key", "ref", "columnid", "name", "id", "question", "questionid", "title", "label", "columnname", "type", "field", "options", "position", "required", "objecttypeid", "versions", "rows", "columns", "uuid")

// pair flattens one question with its answer. It stands in its list under its
// key, because its place changes from person to person.
func (s *shaper) pair(n *node, list place, i int, said *pairPlan) {
	if n.kind != kindObject {
		s.walk(n, list.at(i))
		return
	}
	key, label, typ := pairKey(n), firstText(n, pairLabels...), firstText(n, "type")
	var value *node
	var told []*node
	if said != nil {
		for _, at := range append([]spot{said.label, said.kind}, said.key...) {
			if at.text != "" {
				told = append(told, at.at(n))
			}
		}
		for _, at := range slices.Backward(said.key) {
			if v := at.at(n); v != nil && v.scalar() && v.text != "" {
				key = v.text
			}
		}
		label, typ = orElse(textAt(n, said.label), label), orElse(textAt(n, said.kind), typ)
		if said.byType {
			value = n.get(typ)
		} else {
			value = said.value.at(n)
		}
	}
	if value == nil {
		value = pairValue(n, false)
	}
	field := n.get("field")
	if label == key || label == "" {
		label = s.labels[key]
		if label == "" && field != nil && field.kind == kindObject {
			label = firstOf(s.labels, firstText(field, "ref"), firstText(field, "id"))
		}
	}
	if field != nil && field.kind == kindObject {
		typ = orElse(firstText(field, "type"), typ)
	}
	if typ == "CHECKBOXES" && value != nil && value.kind == kindFlag {
		return // the same tick again, once per option
	}
	p := list
	if key == "" {
		p = p.at(i)
		key = list.key
	} else {
		p.path = join(p.path, key)
	}
	if value != nil {
		s.answer(value, p, key, label, typ, n.get("options"), fromPair)
	}
	// What stands beside an answer is kept, but never taken for one.
	p.key, p.rank = key, max(p.rank, rankAside)
	s.beside(n, p, besideAnswers, append(told, value)...)
}

// within says whether a value stands somewhere inside of another.
func within(n, value *node) bool {
	if n == value || value == nil {
		return n == value
	}
	for i := range n.members {
		if within(n.members[i].value, value) {
			return true
		}
	}
	return slices.ContainsFunc(n.list, func(el *node) bool { return within(el, value) })
}

func textAt(n *node, at spot) string {
	if at.text == "" {
		return ""
	}
	if v := at.at(n); v != nil && v.scalar() {
		return v.text
	}
	return ""
}

// ofChoices are members of an answer that was chosen from a list. Of these
// choiceTexts are the answer, best first; the last is what was typed instead.
var (
	ofChoices   = set("id", "ids", "ref", "refs", "label", "labels", "other", "value", "answer")
	choiceTexts = []string{"label", "labels", "value", "answer", "other"}
)

// answerWords are members that alone hold the whole answer.
var answerWords = set("answer", "answers", "option", "options", "choice", "choices", "text", "value", "values", "label", "labels", "selected", "selection", "url", "href")

// answer flattens one value under one key.
func (s *shaper) answer(value *node, p place, key, label, typ string, options *node, from origin) {
	if s.over {
		return
	}
	switch value.kind {
	case kindArray:
		for i, el := range value.list {
			s.answer(el, p.at(i), key, label, typ, options, from)
		}
	case kindObject:
		if text, kind := whole(value, typ); kind != "" {
			s.leaf(p, key, label, kind, &node{kind: kindText, text: text}, from)
			return
		}
		if chosen(value) {
			for _, name := range choiceTexts {
				if v := value.get(name); v != nil && v.kind != kindNull {
					s.answer(v, p, key, label, typ, options, from)
				}
			}
			return
		}
		if len(value.members) == 1 {
			if m := &value.members[0]; answerWords[norm(m.name)] || strings.HasSuffix(norm(m.name), "answer") {
				s.answer(m.value, p, key, label, typ, options, from)
				return
			}
		}
		inside := p
		inside.key = key
		if label != "" { // so that the parts of a name are known as such
			inside.parents = append(inside.parents[:len(inside.parents):len(inside.parents)], norm(label))
			if fieldOfKey(key) == fieldNone {
				inside.key = label
			}
		}
		for i := range value.members {
			m := &value.members[i]
			s.walk(m.value, inside.child(m.name))
		}
	default:
		if text := optionText(options, value.text); text != "" {
			value = &node{kind: kindText, text: text}
		}
		s.leaf(p, key, label, typ, value, from)
	}
}

// chosen says whether an object is an answer chosen from a list.
func chosen(n *node) bool {
	found := false
	for i := range n.members {
		name := norm(n.members[i].name)
		if !ofChoices[name] {
			return false
		}
		found = found || name != "id" && name != "ids" && name != "ref" && name != "refs"
	}
	return found
}

// optionText is the text of a chosen option where the answer is its id.
func optionText(options *node, id string) string {
	if options == nil || options.kind != kindArray || id == "" {
		return ""
	}
	for _, o := range options.list {
		if o.kind == kindObject && firstText(o, "id") == id {
			return firstText(o, "text", "label", "name")
		}
	}
	return ""
}

// besideValue are members that may stand beside a boxed value.
var besideValue = set("value", "unix", "versions", "id", "type", "title", "label", "name", "rawvalue", "required", "key", "ref", "options", "position", "order")

// boxed says whether an object is one value with things said about it, such as
// {"value": …, "versions": […]}.
func boxed(n *node) bool {
	if n.get("value") == nil {
		return false
	}
	for i := range n.members {
		m := &n.members[i]
		if name := norm(m.name); !besideValue[name] || !m.value.scalar() && name != "value" && name != "versions" && name != "options" {
			return false
		}
	}
	return true
}

// isDefinition says whether a member describes the form instead of answering it.
func isDefinition(name string, n *node) bool {
	switch name {
	case "definition":
		return n.kind == kindObject && n.get("fields") != nil
	case "schema":
		return n.kind == kindArray
	}
	return false
}

// collectLabels reads the questions that a body carries beside the answers.
func (s *shaper) collectLabels(n *node, inside int) {
	switch n.kind {
	case kindObject:
		if inside > 0 {
			if label := firstText(n, "title", "label", "fieldName"); label != "" {
				for _, name := range labelSource {
					if id := firstText(n, name); id != "" && id != label {
						s.labels[id] = label
					}
				}
			}
		}
		for i := range n.members {
			m := &n.members[i]
			switch {
			case inside > 0 || isDefinition(m.name, m.value):
				s.collectLabels(m.value, 1)
			case m.value.kind == kindObject:
				s.collectLabels(m.value, 0)
			}
		}
	case kindArray:
		if inside > 0 {
			for _, el := range n.list {
				s.collectLabels(el, 1)
			}
		}
	}
}

func firstText(n *node, names ...string) string {
	for _, name := range names {
		if v := n.get(name); v != nil && v.scalar() && v.kind != kindNull && v.text != "" {
			return v.text
		}
	}
	return ""
}

func firstOf(m map[string]string, keys ...string) string {
	for _, k := range keys {
		if v := m[k]; k != "" && v != "" {
			return v
		}
	}
	return ""
}

// collectQuestions reads an object of questions whose keys are those of an
// object of answers elsewhere: {"questions": {"p1": "E-mail"}, "answers": {"p1": …}}.
func (s *shaper) collectQuestions(root *node) {
	var flat []*node
	var look func(n *node)
	look = func(n *node) {
		if len(flat) > maxTwinParts {
			return
		}
		if n.kind == kindObject && len(n.members) > 1 && !slices.ContainsFunc(n.members, func(m member) bool { return !m.value.scalar() }) {
			flat = append(flat, n)
		}
		for i := range n.members {
			look(n.members[i].value)
		}
	}
	look(root)
	if len(flat) > maxTwinParts {
		return
	}
	for _, questions := range flat {
		if !asks(questions) {
			continue
		}
		for _, answers := range flat {
			if answers == questions || asks(answers) || slices.ContainsFunc(answers.members, func(m member) bool { return questions.get(m.name) == nil }) {
				continue
			}
			if s.asked == nil {
				s.asked = map[*node]bool{}
			}
			s.asked[questions] = true
			for i := range questions.members {
				s.labels[questions.members[i].name] = questions.members[i].value.text
			}
			break
		}
	}
}

// asks says whether all that stands in an object is questions: two of them must
// be ones that forms ask.
func asks(n *node) bool {
	known := map[field]bool{}
	for i := range n.members {
		m := &n.members[i]
		if m.value.kind != kindText || m.value.text == "" || strings.Contains(m.value.text, "@") {
			return false
		}
		if f := fieldOfLabel(m.value.text); f != fieldNone && fieldOfKey(m.name) == fieldNone {
			known[f] = true
		}
	}
	return len(known) > 1
}

package intake

import (
	"strconv"
	"strings"
)

// shape splits a tree into submissions and flattens each into leaves. It knows
// the handful of ways in which form tools lay out answers: flat, nested, lists
// of question and answer, and values boxed with their label or history.
func shape(root *node, n notes, from origin) ([]Item, error) {
	var items []Item
	for _, sub := range split(root) {
		if len(items) == MaxItems {
			return nil, tooManyItems()
		}
		s := shaper{from: from, labels: map[string]string{}}
		s.collectLabels(sub, 0)
		s.walk(sub, place{rank: rankPlain})
		if s.over {
			return nil, tooManyLeaves()
		}
		items = append(items, Item{Leaves: s.leaves, Notes: n})
	}
	return items, nil
}

// split finds the submissions of one body: each object of a list at the root,
// each change of a change feed, else the whole.
func split(root *node) []*node {
	switch root.kind {
	case kindNull:
		return nil
	case kindArray:
		if len(root.list) == 0 {
			return nil
		}
		if isPairs(root, true) {
			return []*node{root}
		}
		for _, el := range root.list {
			if el.kind != kindObject {
				return []*node{root}
			}
		}
		return root.list
	case kindObject:
		if changes := changeFeed(root); changes != nil {
			return changes
		}
	}
	return []*node{root}
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
	leaves []Leaf
	labels map[string]string // question id or ref → what the person saw
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
	foreignIn = set("owner", "author", "account", "agent", "assignee", "host", "organizer", "submitter")
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
	case foreignIn[word] || strings.HasPrefix(word, "associated"):
		c.rank = rankForeign
	case p.rank == rankAside:
	case asideIn[word]:
		c.rank = rankAside
	case answersIn[word]:
		c.rank = rankAnswer
	}
	return c
}

func (p place) at(i int) place {
	p.path += "[" + strconv.Itoa(i) + "]"
	return p
}

// join appends a segment to a path and quotes it where it would be misread.
func join(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"") {
		name = strconv.Quote(name)
	}
	if path == "" {
		return name
	}
	return path + "." + name
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
	if value.kind == kindFile {
		typ = "file"
	}
	if label == key {
		label = ""
	}
	s.emit(Leaf{Path: p.path, Key: key, Label: label, Type: typ, Value: value.text, parents: p.parents, rank: p.rank, origin: from})
}

func (s *shaper) walk(n *node, p place) {
	if s.over {
		return
	}
	switch n.kind {
	case kindObject:
		if p.key != "" && boxed(n) {
			s.answer(n.get("value"), p, p.key, firstText(n, "title", "label", "name"), firstText(n, "type"), n.get("options"), s.from)
			return
		}
		for i := range n.members {
			m := &n.members[i]
			c := p.child(m.name)
			switch {
			case isDefinition(m.name, m.value):
			case m.value.scalar() || m.value.kind == kindObject && len(m.value.members) > 0 || m.value.kind == kindArray && len(m.value.list) > 0:
				s.walk(m.value, c)
			}
		}
	case kindArray:
		if isPairs(n, p.key == "") {
			if p.rank == rankPlain {
				p.rank = rankAnswer
			}
			for i, el := range n.list {
				s.pair(el, p.at(i))
			}
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

func (s *shaper) pair(n *node, p place) {
	key := pairKey(n)
	label := firstText(n, pairLabels...)
	if label == key || label == "" {
		label = s.labels[key]
		if field := n.get("field"); label == "" && field != nil && field.kind == kindObject {
			label = firstOf(s.labels, firstText(field, "ref"), firstText(field, "id"))
		}
	}
	value := pairValue(n, false)
	if value == nil {
		return
	}
	typ := firstText(n, "type")
	if typ == "CHECKBOXES" && value.kind == kindFlag {
		return // the same tick again, once per option
	}
	s.answer(value, p, key, label, typ, n.get("options"), fromPair)
}

// answer flattens one value under one key.
func (s *shaper) answer(value *node, p place, key, label, typ string, options *node, from origin) {
	if s.over {
		return
	}
	switch value.kind {
	case kindArray:
		for _, el := range value.list {
			s.answer(el, p, key, label, typ, options, from)
		}
	case kindObject:
		for _, name := range []string{"label", "labels", "value", "answer", "url"} {
			if v := value.get(name); v != nil && v.kind != kindObject && v.kind != kindNull {
				s.answer(v, p, key, label, typ, options, from)
				return
			}
		}
		if len(value.members) == 1 && value.members[0].value.kind == kindObject {
			s.answer(value.members[0].value, p, key, label, typ, options, from)
			return
		}
		inside := p
		inside.key = key
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
var besideValue = set("value", "versions", "id", "type", "title", "label", "name", "rawvalue", "required", "key", "ref", "options", "position", "order")

// boxed says whether an object is one value with things said about it, such as
// {"value": …, "versions": […]}.
func boxed(n *node) bool {
	if n.get("value") == nil {
		return false
	}
	for i := range n.members {
		if !besideValue[norm(n.members[i].name)] {
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

package intake

import (
	"maps"
	"slices"
	"strings"
)

// Shapes that no list of names foresees: questions and answers under whatever
// names a tool gave them. They are known by their content, because some of the
// questions are ones that forms ask.

// element is one candidate for a question with its answer.
type element struct {
	key  string // its name, where the candidates stand in an object
	node *node
}

// twin is where question and answer stand within each element.
type twin struct{ label, value string }

// Limits of what is looked at.
const (
	maxTwinParts    = 8
	maxTwinElements = 500
)

var (
	labelWords = set("label", "labels", "title", "question", "prompt", "caption", "heading", "field", "fieldname", "kind", "ask", "q",
		"frage", "bezeichnung", "beschriftung", "feld", "titel", "intitule", "libelle", "champ", "titre", "pregunta", "etiqueta", "campo", "titulo", "domanda", "vraag")
	valueWords = set("value", "answer", "response", "reply", "detail", "details", "content", "input", "entry", "val", "a", "data", "text",
		"antwort", "wert", "eingabe", "inhalt", "angabe", "reponse", "valeur", "saisie", "contenu", "respuesta", "valor", "contenido", "risposta", "antwoord")
	plainIDs = set("id", "uuid", "ref", "guid", "position", "order", "index", "required", "timestamp", "createdat", "updatedat")
)

// part is one value of an element that is not an object.
type part struct {
	path string
	node *node
}

func parts(n *node, at string, out []part) []part {
	for i := range n.members {
		if len(out) > maxTwinParts {
			return out
		}
		m := &n.members[i]
		if m.value.kind == kindObject {
			out = parts(m.value, join(at, m.name), out)
		} else if m.value.kind != kindNull {
			out = append(out, part{path: join(at, m.name), node: m.value})
		}
	}
	return out
}

// implied finds where question and answer stand, if the elements are such.
func implied(elements []element) (twin, bool) {
	if len(elements) == 0 || len(elements) > maxTwinElements {
		return twin{}, false
	}
	all := make([][]part, 0, len(elements))
	for _, el := range elements {
		if el.node.kind != kindObject {
			return twin{}, false
		}
		of := parts(el.node, "", nil)
		if len(of) > maxTwinParts {
			return twin{}, false
		}
		all = append(all, of)
	}
	var best twin
	most := 0
	for _, candidate := range all[0] {
		named := slices.ContainsFunc(strings.Split(candidate.path, "."), func(s string) bool { return labelWords[norm(s)] })
		if known := questions(all, candidate.path); known > most && (named || known > 1) {
			best.label, most = candidate.path, known
		}
	}
	if most == 0 {
		return twin{}, false
	}
	// The answer is what is left; of several, what is called like one.
	var left []string
	for _, of := range all {
		for _, p := range of {
			name := norm(p.path[strings.LastIndexByte(p.path, '.')+1:])
			if p.path != best.label && !plainIDs[name] && name != "type" && !slices.Contains(left, p.path) {
				left = append(left, p.path)
			}
		}
	}
	if len(left) > 1 {
		left = slices.DeleteFunc(left, func(at string) bool {
			return !slices.ContainsFunc(strings.Split(at, "."), func(s string) bool { return valueWords[norm(s)] })
		})
	}
	if len(left) != 1 {
		return twin{}, false
	}
	best.value = left[0]
	for _, of := range all {
		if i := slices.IndexFunc(of, func(p part) bool { return p.path == best.value }); i >= 0 && questionnaire(of[i].node) {
			return twin{}, false // the heading of a page, with the questions on it
		}
	}
	return best, true
}

// questionnaire says whether a list is itself one of questions with answers.
func questionnaire(n *node) bool {
	if n.kind != kindArray {
		return false
	}
	elements := make([]element, 0, len(n.list))
	for _, el := range n.list {
		elements = append(elements, element{node: el})
	}
	_, ok := implied(elements)
	return ok
}

// questions counts how many different fields are asked for at a path that each
// element has; 0 where it is no place of questions.
func questions(all [][]part, at string) int {
	fields := map[field]bool{}
	for _, of := range all {
		i := slices.IndexFunc(of, func(p part) bool { return p.path == at })
		if i < 0 || of[i].node.kind != kindText {
			return 0
		}
		text := of[i].node.text
		if f := fieldOfLabel(text); f != fieldNone && !strings.Contains(text, "@") {
			fields[f] = true
		}
	}
	return len(fields)
}

func fieldOfLabel(text string) field {
	if len(text) > 2*MaxKey {
		return fieldNone
	}
	if f := fieldOfKey(text); f != fieldNone {
		return f
	}
	return fieldOfQuestion(text)
}

// twins flattens elements that are questions with answers; false = they are
// none.
func (s *shaper) twins(elements []element, p place) bool {
	found, ok := implied(elements)
	if !ok {
		return false
	}
	if p.rank == rankPlain {
		p.rank = rankAnswer
	}
	label, value := parsePath(found.label), parsePath(found.value)
	for _, el := range elements {
		text, key := textAt(el.node, label), el.key
		if key == "" {
			key = text
		}
		c := p
		c.path = join(p.path, key)
		answer := value.at(el.node)
		if answer != nil {
			s.answer(answer, c, key, text, firstText(el.node, "type"), el.node.get("options"), fromPair)
		}
		asked := label.at(el.node)
		c.key, c.rank = key, max(c.rank, rankAside)
		s.beside(el.node, c, besideTwins, asked, answer)
	}
	return true
}

// besideTwins are members that say something about a question with its answer.
var besideTwins = union(plainIDs, set("options", "type"))

// describes are members that describe a question however they are built.
var describes = set("field", "options", "rows", "columns", "versions")

func union(sets ...map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, s := range sets {
		maps.Copy(out, s)
	}
	return out
}

// beside keeps what stands in an element besides question and answer, except
// what only says something about them.
func (s *shaper) beside(n *node, p place, about map[string]bool, told ...*node) {
	for i := range n.members {
		m := &n.members[i]
		switch {
		case about[norm(m.name)] && (m.value.scalar() || describes[norm(m.name)]), slices.Contains(told, m.value):
		case m.value.kind == kindObject && slices.ContainsFunc(told, func(t *node) bool { return within(m.value, t) }):
			s.beside(m.value, p.child(m.name), about, told...)
		default:
			s.walk(m.value, p.child(m.name))
		}
	}
}

// elementsOf are the members of an object that are objects of one kind; nil =
// they are not.
func elementsOf(n *node) []element {
	if len(n.members) < 2 {
		return nil
	}
	out := make([]element, 0, len(n.members))
	for i := range n.members {
		m := &n.members[i]
		if m.value.kind != kindObject || boxed(m.value) {
			return nil
		}
		out = append(out, element{key: m.name, node: m.value})
	}
	return out
}

// headed finds two lists of one length in an object, one of which holds the
// names of what is in the other: a table of one row.
func headed(n *node) (names, row *member) {
	for i := range n.members {
		a := &n.members[i]
		if !texts(a.value) || len(a.value.list) < 2 {
			continue
		}
		fields := map[field]bool{}
		for _, el := range a.value.list {
			if f := fieldOfLabel(el.text); f != fieldNone {
				fields[f] = true
			}
		}
		if len(fields) < 2 {
			continue
		}
		for j := range n.members {
			b := &n.members[j]
			if i != j && b.value.kind == kindArray && len(b.value.list) == len(a.value.list) && !slices.ContainsFunc(b.value.list, func(el *node) bool { return !el.scalar() }) {
				return a, b
			}
		}
	}
	return nil, nil
}

func texts(n *node) bool {
	return n.kind == kindArray && len(n.list) <= maxTwinElements && !slices.ContainsFunc(n.list, func(el *node) bool { return el.kind != kindText || len(el.text) > MaxKey })
}

// namedLines reads a text in which each line names a field, as forms write e-mails:
// "Name: Ana". Two of them must be known, or the text is only a text.
func namedLines(text string) []member {
	var out []member
	known := map[field]bool{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.Trim(name, " \t*-•"), strings.TrimSpace(value)
		if !ok || name == "" || value == "" || len(name) > 80 || strings.HasPrefix(value, "//") || len(out) == maxParts {
			continue
		}
		if f := fieldOfLabel(name); f != fieldNone {
			known[f] = true
		}
		out = append(out, member{name: name, value: &node{kind: kindText, text: value}})
	}
	if len(known) < 2 {
		return nil
	}
	return out
}

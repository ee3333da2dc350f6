package agreement

// kindOf is what stands at a place of a document.
type kindOf int

const (
	kindOfNothing kindOf = iota // Nobody has said yet.
	kindOfKeys                  // A mapping of known keys.
	kindOfNames                 // A mapping of names that the document chooses.
	kindOfList
	kindOfWays // One of several.
	kindOfText
	kindOfToken
	kindOfName
	kindOfInteger
	kindOfFlag
	kindOfChoice
	kindOfDuration
	kindOfInstant
	kindOfDate
	kindOfHours
	kindOfKey
	kindOfCondition
)

// shape is what may stand at one place of a document. The functions that read a
// document say it themselves: given a value with an empty shape, they note what
// they would read instead of reading it. So the schema and the reference page
// cannot say anything else than what is read.
type shape struct {
	kind kindOf
	// name is the key, about what it is in plain words, must whether it has to be
	// there; empty and false within lists and behind names of the document's own.
	name, about string
	must        bool
	// what names a mapping of known keys in a sentence.
	what string
	// keys are the known keys in their order, item what stands in a list or behind a
	// name, ways the alternatives.
	keys, ways []*shape
	item       *shape
	// least and most bound a number, the length of a text or how many there are.
	least, most int64
	// words are those of a choice, or those that a name must not be.
	words []string
	// chars are those that a token is made of, described says so in words.
	chars, described string
	// nothing says that the place may be left empty.
	nothing bool
}

// anyName stands for a name that a document chooses.
const anyName = "name"

// describe is the shape of a whole document.
func describe() *shape {
	root := &shape{about: "An agreement between marketing and sales, as Baton reads it."}
	d := &draft{agreement: &Agreement{}}
	d.document(value{shape: root})
	return root
}

func (s *shape) is(k kindOf) { s.kind = k }

// key adds a known key and answers the value to be described.
func (s *shape) key(f field) value {
	s.kind = kindOfKeys
	child := &shape{name: f.name, about: f.about, must: f.missing != ""}
	s.keys = append(s.keys, child)
	return value{shape: child}
}

func (s *shape) named() value {
	s.kind, s.item = kindOfNames, &shape{}
	return value{shape: s.item}
}

func (s *shape) listed() value {
	s.kind, s.item = kindOfList, &shape{}
	return value{shape: s.item}
}

func (s *shape) way() value {
	s.kind = kindOfWays
	child := &shape{}
	s.ways = append(s.ways, child)
	return value{shape: child}
}

// token says what a word, or the names of a mapping, are made of.
func (s *shape) token(chars, described string) {
	if s.kind != kindOfNames {
		s.kind, s.most = kindOfToken, maxToken
	}
	s.chars, s.described = chars, described
}

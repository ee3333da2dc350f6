package agreement

import (
	"strings"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Segment says which leads are meant, by a condition that stands outside the document
// and speaks its language.
type Segment struct{ when *condition }

// Segment compiles a condition on leads; an empty one means all of them. A refusal says
// everything that is wrong with it, each with the column at which it stands.
func (a *Agreement) Segment(source string) (*Segment, error) {
	if strings.TrimSpace(source) == "" {
		return &Segment{always}, nil
	}
	// A vocabulary of its own: compiling notes counts of touches in it, and the
	// agreement's is shared with who decides meanwhile.
	v, err := newVocabulary(a)
	if err != nil {
		return nil, err
	}
	compiled, complaints := v.compile(source)
	if len(complaints) > 0 {
		texts := make([]string, len(complaints))
		for i, c := range complaints {
			texts[i] = fault.New(fault.Invalid, "at character %d: %s", c.offset+1, c.text).Error()
		}
		return nil, fault.New(fault.Invalid, "%s", strings.Join(texts, "; "))
	}
	for _, read := range compiled.variables {
		if strings.HasPrefix(read.name, "call.") {
			return nil, fault.New(fault.Invalid, "%s is what a call finds out; a segment is told by what is known of a lead without one", read.name)
		}
	}
	return &Segment{compiled}, nil
}

// Holds says whether a lead of which these facts are known is meant. Where a fact is
// unknown that the condition needs, it is not.
func (s *Segment) Holds(f Facts) bool {
	met, _ := s.when.decide(&f)
	return met
}

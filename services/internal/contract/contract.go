// Package contract holds messages against the rules of their contracts, as the
// .proto files state them: what is asked at the doors, and what is said to the
// log.
package contract

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/fault"
)

// Breach is one rule that a message breaks.
type Breach struct {
	// Field says where, such as rows[3].source; empty = the message as a whole.
	// Keys of maps are left out: they come from outside and may say anything
	// about anybody.
	Field string
	// Rule is the rule's id, such as string.min_len.
	Rule string
	// Text says in words what the rule asks for.
	Text string
}

// Check answers the rules that a message breaks; none = it is as its contract
// says. An Unknown fault means that the rules themselves do not hold together.
func Check(m proto.Message) ([]Breach, error) {
	err := protovalidate.Validate(m)
	if err == nil {
		return nil, nil
	}
	var bad *protovalidate.ValidationError
	if !errors.As(err, &bad) {
		return nil, fault.New(fault.Unknown, "contract: the rules of %s cannot be checked: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	out := make([]Breach, 0, len(bad.Violations))
	for _, v := range bad.Violations {
		b := Breach{Field: pathOf(v.Proto.GetField()), Rule: v.Proto.GetRuleId(), Text: v.Proto.GetMessage()}
		if b.Text == "" {
			b.Text = "breaks the rule " + b.Rule
		}
		out = append(out, b)
	}
	return out, nil
}

// pathOf writes where in a message a fault is.
func pathOf(path *validate.FieldPath) string {
	var b strings.Builder
	for _, e := range path.GetElements() {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(e.GetFieldName())
		switch {
		case e.HasIndex():
			fmt.Fprintf(&b, "[%d]", e.GetIndex())
		case e.HasSubscript():
			b.WriteString("[…]")
		}
	}
	return b.String()
}

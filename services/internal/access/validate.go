package access

import (
	"errors"
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/fault"
)

// maxViolations bounds what an answer says about a request with many faults.
const maxViolations = 20

// Validate holds a request against the rules of its contract. What does not fit
// comes back as an InvalidArgument that names each field.
func Validate(m proto.Message) error {
	err := protovalidate.Validate(m)
	if err == nil {
		return nil
	}
	var bad *protovalidate.ValidationError
	if !errors.As(err, &bad) {
		// The rules themselves do not hold together: ours to mend, not the caller's.
		return fault.New(fault.Unknown, "access: the rules of %s cannot be checked: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	details := &errdetails.BadRequest{}
	var said []string
	for _, v := range bad.Violations[:min(len(bad.Violations), maxViolations)] {
		path, text := pathOf(v.Proto.GetField()), v.Proto.GetMessage()
		if text == "" {
			text = "breaks the rule " + v.Proto.GetRuleId()
		}
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: path, Description: text, Reason: v.Proto.GetRuleId(),
		})
		if path != "" {
			text = path + ": " + text
		}
		said = append(said, text)
	}
	if more := len(bad.Violations) - maxViolations; more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return withKind(status.New(codes.InvalidArgument, "the request is not valid: "+strings.Join(said, "; ")), fault.Invalid, details)
}

// pathOf writes where in the request a fault is. Keys of maps are left out:
// they come from outside and may say anything about anybody.
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

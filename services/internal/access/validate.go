package access

import (
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/contract"
	"github.com/leadbaton/baton/services/internal/fault"
)

// maxViolations bounds what an answer says about a request with many faults.
const maxViolations = 20

// Validate holds a request against the rules of its contract. What does not fit
// comes back as an InvalidArgument that names each field.
func Validate(m proto.Message) error {
	breaches, err := contract.Check(m)
	if err != nil || len(breaches) == 0 {
		// Where the rules do not hold together, that is ours to mend, not the caller's.
		return err
	}
	details := &errdetails.BadRequest{}
	var said []string
	for _, b := range breaches[:min(len(breaches), maxViolations)] {
		details.FieldViolations = append(details.FieldViolations, &errdetails.BadRequest_FieldViolation{
			Field: b.Field, Description: b.Text, Reason: b.Rule,
		})
		text := b.Text
		if b.Field != "" {
			text = b.Field + ": " + text
		}
		said = append(said, text)
	}
	if more := len(breaches) - maxViolations; more > 0 {
		said = append(said, fmt.Sprintf("and %d more", more))
	}
	return withKind(status.New(codes.InvalidArgument, "the request is not valid: "+strings.Join(said, "; ")), fault.Invalid, details)
}

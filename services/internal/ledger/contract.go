package ledger

import (
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/leadbaton/baton/services/internal/contract"
	"github.com/leadbaton/baton/services/internal/fault"
)

// maxBreaches bounds what a refusal says about a message with many faults.
const maxBreaches = 5

// keeps refuses what breaks its contract: whoever reads the log relies on it.
// The fault names type, field and rule, and nothing of what is in the message.
func keeps(kind fault.Kind, body proto.Message) error {
	breaches, err := contract.Check(body)
	if err != nil || len(breaches) == 0 {
		return err
	}
	said := make([]string, 0, maxBreaches)
	for _, b := range breaches[:min(len(breaches), maxBreaches)] {
		said = append(said, strings.TrimSpace(b.Field+" breaks "+b.Rule))
	}
	return fault.New(kind, "ledger: %s is not as its contract says, so it is not written: %s", body.ProtoReflect().Descriptor().FullName(), strings.Join(said, "; "))
}

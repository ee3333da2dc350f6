package ledger

import (
	"time"

	"google.golang.org/protobuf/proto"
)

// Event is an event as it stands in LEDGER.
type Event struct {
	// Seq is its place in the one total order.
	Seq uint64
	// Subject is whose event it is: lead.<id>, person.<id>, pool.<group>, org.<kind>.<id>.
	Subject string
	// ID is computed from cause, service and position, so a repeat has the same.
	ID string
	// Type is the message's full name, such as baton.lead.v1.LeadOffered.
	Type string
	// Service wrote and signed it.
	Service string
	// Occurred is when it happened, Recorded when it became known.
	Occurred, Recorded time.Time
	// Cause is the event or delivery that brought it about; Correlation the
	// first of that line.
	Cause, Correlation string
	// Actor is who said it: a member's handle, "admin", or service:<name>.
	Actor string
	// Agreement is the version that a decision used; 0 = none.
	Agreement int64
	// Basis is the LEDGER sequence up to which a decision had read; 0 = no decision.
	Basis uint64
	// Logic names the version of the deciding code; empty = no decision.
	Logic string
	// TZData names the time-zone data that a decision used.
	TZData string
	// Prev is the hash of the subject's previous event, Hash its own.
	Prev, Hash [32]byte
	// TraceParent is the W3C trace context that it was written under.
	TraceParent string
	// Body is the decoded message.
	Body proto.Message
}

// Draft is an event that somebody wants to say. What is not set is filled in by
// the writer.
type Draft struct {
	Subject string
	Body    proto.Message
	// Occurred defaults to the recorded time.
	Occurred    time.Time
	Cause       string
	Correlation string
	Actor       string
	Agreement   int64
	Basis       uint64
	Logic       string
	// Position tells apart several events of one service with one cause.
	Position int
	// TraceParent continues the trace of what caused it.
	TraceParent string

	tzdata string
}

package telemetry

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// Every name that leaves the process as telemetry stands in this file. The
// conventions of OpenTelemetry for messaging are still in development, so a
// change of theirs is a change here alone.

// scope is what instruments and spans say they come from.
const scope = "github.com/leadbaton/baton"

// Operations: the first word of a span's name, with the stream's name second,
// such as `process LEDGER`. Ids never stand in names.
const (
	OpCreate  = "create"
	OpSend    = "send"
	OpReceive = "receive"
	OpProcess = "process"
	OpSettle  = "settle"
)

// Attributes of spans. Put nothing personal under any of them.
const (
	KeyLead         = attribute.Key("baton.lead.id")
	KeyDelivery     = attribute.Key("baton.delivery.id")
	KeySubmission   = attribute.Key("baton.submission.id")
	KeySource       = attribute.Key("baton.source")
	KeyDoor         = attribute.Key("baton.door")
	KeyOutcome      = attribute.Key("baton.outcome")
	KeyEventType    = attribute.Key("baton.event.type")
	KeyEventID      = attribute.Key("baton.event.id")
	KeyStage        = attribute.Key("baton.stage")
	KeyPool         = attribute.Key("baton.pool")
	KeyGroup        = attribute.Key("baton.group")
	KeyAgreement    = attribute.Key("baton.agreement.version")
	KeyLogic        = attribute.Key("baton.logic.version")
	KeyBasis        = attribute.Key("baton.basis")
	KeyCount        = attribute.Key("baton.count")
	KeyBytes        = attribute.Key("baton.bytes")
	KeyAttempt      = attribute.Key("baton.attempt")
	KeyFault        = attribute.Key("baton.fault")
	KeySystem       = attribute.Key("messaging.system")
	KeyOperation    = attribute.Key("messaging.operation.name")
	KeyDestination  = attribute.Key("messaging.destination.name")
	KeyConsumer     = attribute.Key("messaging.consumer.group.name")
	KeyBatch        = attribute.Key("messaging.batch.message_count")
	KeyStream       = attribute.Key("messaging.nats.stream")
	KeySequence     = attribute.Key("messaging.nats.sequence")
	KeySubjectKind  = attribute.Key("messaging.nats.subject_kind")
	KeyHTTPMethod   = attribute.Key("http.request.method")
	KeyHTTPRoute    = attribute.Key("http.route")
	KeyHTTPStatus   = attribute.Key("http.response.status_code")
	KeyDBSystem     = attribute.Key("db.system.name")
	KeyDBOperation  = attribute.Key("db.operation.name")
	KeyErrorType    = attribute.Key("error.type")
	messagingSystem = "nats"
)

// spanKeys lists the attributes that a span, its events and its links may keep.
// Instrumentation of others' making puts more on spans, such as the addresses
// of callers: that is dropped.
var spanKeys = setOf(
	KeyLead, KeyDelivery, KeySubmission, KeySource, KeyDoor, KeyOutcome, KeyEventType, KeyEventID, KeyStage,
	KeyPool, KeyGroup, KeyAgreement, KeyLogic, KeyBasis, KeyCount, KeyBytes, KeyAttempt, KeyFault,
	KeySystem, KeyOperation, KeyDestination, KeyConsumer, KeyBatch, KeyStream, KeySequence, KeySubjectKind,
	KeyHTTPMethod, KeyHTTPRoute, KeyHTTPStatus, KeyDBSystem, KeyDBOperation, KeyErrorType,
	"rpc.system", "rpc.system.name", "rpc.service", "rpc.method",
	"rpc.grpc.status_code", "rpc.response.status_code", "rpc.message.type", "rpc.message.id",
	"exception.type", "exception.message",
)

// Attributes that the logger adds by itself.
const (
	logService  = "service"
	logTrace    = "trace_id"
	logSpan     = "span_id"
	logLead     = "lead_id"
	logWithheld = "withheld"
)

// logKeys lists the attributes that a record may keep. Each stands for
// something that says nothing of a person: an opaque id, an agreed word, a
// number, or the text of a fault, which never holds anything personal.
// Handles of members, free text, payloads, headers and full subjects (those of
// members end in a handle; see SubjectKind) do not belong here.
var logKeys = setOf(
	// Who speaks, and where.
	logService, "services", "component", "step", "door", "listener", "addr", "address", "route", "pid", "path", "dir", "file", "line",
	"version", "go", "os", "tzdata", "logic",
	// What it is about.
	logTrace, logSpan, logLead, "delivery_id", "submission_id", "event_id", "record_id", "person_id", "source_id", "key_id",
	"source", "stream", "consumer", "durable", "subject_kind", "sequence", "last_sequence", "from_sequence", "to_sequence",
	"position", "basis", "index", "type", "event_type", "event", "stage", "state", "outcome", "rule", "pool", "group",
	"agreement", "agreement_version", "digest", "checkpoint", "tree", "tree_size", "origin", "generation", "role", "report", "migration",
	"setting", "want", "got",
	// How much, how long, when.
	"count", "total", "rows", "leads", "events", "records", "deliveries", "accepted", "rejected", "duplicates", "pending", "lag",
	"bytes", "free_bytes", "size", "limit", "attempt", "attempts", "batch", "workers",
	"duration_ms", "wait_ms", "age_ms", "lag_ms", "timeout_ms", "duration", "elapsed", "wait", "age", "timeout", "at", "due", "since", "until",
	// How it went.
	"fault", "error", "code", "status", "method", "signal", "read_only", "enabled", "embedded", "panic", "stack",
)

// SubjectKind is what may be told of a subject: its first word.
func SubjectKind(subject string) string {
	kind, _, _ := strings.Cut(subject, ".")
	return kind
}

// Metrics, by their OpenTelemetry names; the page writes dots as underscores
// and adds the unit.
const (
	metricDeliveries  = "baton.deliveries"
	metricEvents      = "baton.events.written"
	metricConflicts   = "baton.conflicts"
	metricDeadLetters = "baton.dead_letters"
	metricDoorAck     = "baton.door.ack"
	metricAssigned    = "baton.lead.received_to_assigned"
	metricLag         = "baton.consumer.lag"
	metricOldest      = "baton.delivery.oldest_unworked"
	metricReadOnly    = "baton.read_only"
	metricNotices     = "baton.notices"
	metricNoticeAge   = "baton.notice.oldest_waiting"
	metricLimits      = "baton.limits.unknown"
)

// Labels of metrics. Their values are words from short lists.
const (
	labelOutcome  = attribute.Key("outcome")
	labelType     = attribute.Key("type")
	labelService  = attribute.Key("service")
	labelFault    = attribute.Key("fault")
	labelStream   = attribute.Key("stream")
	labelConsumer = attribute.Key("consumer")
	labelChannel  = attribute.Key("channel")
	labelResult   = attribute.Key("result")
)

func setOf[K comparable](keys ...K) map[K]bool {
	m := make(map[K]bool, len(keys))
	for _, k := range keys {
		m[k] = true
	}
	return m
}

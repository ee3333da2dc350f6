package delivery

import (
	"context"
	"net/http"
	"slices"
)

// A customer system is a place where the company keeps its own records of people: it
// may hold what is personal. Baton writes to it and keeps nothing of it but ids.

// CRM writes leads as records of a customer system.
type CRM interface {
	// Batch is the most records that one call takes.
	Batch() int
	// Upsert makes or changes records, found again by their ExternalID, and answers for
	// each, in order. An error is of the call as a whole: nothing is known of any row.
	// Records of one call must differ in their ids.
	Upsert(ctx context.Context, records []Record) ([]Row, error)
	// Try says whether it lets us in; it writes nothing.
	Try(ctx context.Context) error
}

// Record is a lead as a customer system holds it.
type Record struct {
	// ExternalID is the lead's own id: the record is found again by it.
	ExternalID string
	// Fields by the names of the customer system, in order. An empty value is left out:
	// nothing is ever cleared by accident.
	Fields []Field
}

// Field is one value of a record.
type Field struct{ Name, Value string }

// Row is what became of one record.
type Row struct {
	// RecordID names the record there; empty = it was not written.
	RecordID string
	Created  bool
	// Fault is why it was not written, in the other side's own code; empty = it was.
	Fault string
	// Again says that the same record may be taken at another time; else it is set aside.
	Again bool
}

// failedCall is a call that failed as a whole, and why.
type failedCall struct{ outcome }

func (e *failedCall) Error() string {
	return "the customer system did not take the call: " + e.fault
}

// crmAnswerMost bounds what is read of an answer.
const crmAnswerMost = 4 << 20

// refusedCall says what an HTTP status means for the call. One for want of rights is
// tried again as well: a token that was changed there is changed here soon.
func refusedCall(resp *http.Response) error {
	o := outcome{fault: faultStatus, status: int32(resp.StatusCode), after: retryAfter(resp.Header.Get("Retry-After"))} // #nosec G115 -- three digits
	switch code := resp.StatusCode; {
	case code >= 300 && code < 400:
		o.fault, o.final = faultRedirect, true
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusUnauthorized, code == http.StatusForbidden:
	case code < 500:
		o.final = true
	}
	return &failedCall{o}
}

// filled are the fields with a value.
func (r Record) filled() []Field {
	return slices.DeleteFunc(slices.Clone(r.Fields), func(f Field) bool { return f.Value == "" })
}

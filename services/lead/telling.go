package lead

import "strings"

// Telling says whether an event, by its type, only says that somebody was told of
// another one, or what the two sides say of it. Nothing about the lead follows from it:
// whoever decides need not look, and what is decided next follows from the event before.
func Telling(eventType string) bool {
	name, ours := strings.CutPrefix(eventType, "baton.lead.v1.")
	return ours && (strings.HasPrefix(name, "Notice") || strings.HasPrefix(name, "Dispute") || strings.HasPrefix(name, "RideAlong") || name == "RecordWritten" || name == "FeedbackGiven")
}

package lead

import (
	"strings"

	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
)

// StateWord is a state as one lower-case word, the same everywhere.
func StateWord(s leadv1.State) string {
	if s == leadv1.State_STATE_UNSPECIFIED {
		return "unknown"
	}
	return strings.ToLower(strings.TrimPrefix(s.String(), "STATE_"))
}

// StageWord is a stage by the field's term.
func StageWord(s leadv1.Stage) string {
	if s == leadv1.Stage_STAGE_UNSPECIFIED {
		return ""
	}
	return strings.TrimPrefix(s.String(), "STAGE_")
}

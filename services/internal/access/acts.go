package access

import (
	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
)

// acts says in the words of whoever is refused what each method does that not every
// role may. It stands before "takes the role manager or operator".
var acts = map[string]string{
	intakev1.IntakeService_Submit_FullMethodName:           "handing in a submission",
	intakev1.IntakeService_SubmitBatch_FullMethodName:      "handing in submissions",
	intakev1.IntakeService_ImportHistory_FullMethodName:    "importing history",
	intakev1.IntakeService_RecordTouch_FullMethodName:      "recording a touch",
	intakev1.IntakeService_ResolveLeads_FullMethodName:     "looking up leads for an import",
	intakev1.IntakeService_CheckSubmissions_FullMethodName: "checking an import",
	intakev1.IntakeService_DeclareAccounts_FullMethodName:  "declaring accounts",
	intakev1.IntakeService_AddSource_FullMethodName:        "adding a source",
	intakev1.IntakeService_ChangeSource_FullMethodName:     "changing a source",
	intakev1.IntakeService_RotateSource_FullMethodName:     "renewing a source's secret",
	intakev1.IntakeService_TestSource_FullMethodName:       "testing a source",
	intakev1.IntakeService_ListDeliveries_FullMethodName:   "reading what a source delivered",
	intakev1.IntakeService_RemapSource_FullMethodName:      "reading a source's deliveries again",

	personv1.PersonService_ListMatches_FullMethodName:    "listing persons who may be the same",
	personv1.PersonService_MergePersons_FullMethodName:   "merging persons",
	personv1.PersonService_UnmergePersons_FullMethodName: "taking a merge back",
	personv1.PersonService_DismissMatch_FullMethodName:   "saying that two persons are not the same",

	agreementv1.AgreementService_Propose_FullMethodName: "proposing an agreement",
	agreementv1.AgreementService_Sign_FullMethodName:    "signing an agreement",

	scorev1.ScoreService_Train_FullMethodName:  "training a score",
	scorev1.ScoreService_Sign_FullMethodName:   "signing a score",
	scorev1.ScoreService_Switch_FullMethodName: "switching a score on or off",

	qualificationv1.QualificationService_RecordCall_FullMethodName: "recording a call",

	routingv1.RoutingService_Accept_FullMethodName:           "accepting a lead",
	routingv1.RoutingService_Reject_FullMethodName:           "declining a lead",
	routingv1.RoutingService_Claim_FullMethodName:            "claiming a lead",
	routingv1.RoutingService_SetAvailability_FullMethodName:  "saying who is away",
	routingv1.RoutingService_SetPresence_FullMethodName:      "signing in or out for the day",
	routingv1.RoutingService_AddMember_FullMethodName:        "adding a person",
	routingv1.RoutingService_PlaceMember_FullMethodName:      "placing a person in a team",
	routingv1.RoutingService_RenewToken_FullMethodName:       "renewing a person's token",
	routingv1.RoutingService_DeactivateMember_FullMethodName: "taking a person out",
	routingv1.RoutingService_AdjustTurns_FullMethodName:      "changing what somebody is owed in a rotation",
	routingv1.RoutingService_Reassign_FullMethodName:         "moving a lead",
	routingv1.RoutingService_BulkReassign_FullMethodName:     "moving leads",
	routingv1.RoutingService_UndoReassign_FullMethodName:     "taking a move back",

	deliveryv1.DeliveryService_SetChannel_FullMethodName:    "setting up a channel",
	deliveryv1.DeliveryService_RemoveChannel_FullMethodName: "removing a channel",
	deliveryv1.DeliveryService_TestChannel_FullMethodName:   "testing a channel",
	deliveryv1.DeliveryService_Redeliver_FullMethodName:     "sending a notice again",
	deliveryv1.DeliveryService_RecordOpened_FullMethodName:  "noting that a notice was opened",

	feedbackv1.FeedbackService_RecordOutcome_FullMethodName:  "recording an outcome",
	feedbackv1.FeedbackService_ImportOutcomes_FullMethodName: "importing outcomes",
	feedbackv1.FeedbackService_ImportOwners_FullMethodName:   "importing owners",
	feedbackv1.FeedbackService_GiveFeedback_FullMethodName:   "giving feedback on a lead",
	feedbackv1.FeedbackService_OpenDispute_FullMethodName:    "opening a dispute",
	feedbackv1.FeedbackService_AnswerDispute_FullMethodName:  "answering a dispute",
	feedbackv1.FeedbackService_DecideDispute_FullMethodName:  "deciding a dispute",
	feedbackv1.FeedbackService_DrawReview_FullMethodName:     "drawing leads for review",
	feedbackv1.FeedbackService_ProposeTargets_FullMethodName: "proposing targets",
	feedbackv1.FeedbackService_SignTargets_FullMethodName:    "signing targets",
	feedbackv1.FeedbackService_CloseQuarter_FullMethodName:   "closing a quarter",
	feedbackv1.FeedbackService_OpenEvidence_FullMethodName:   "opening the evidence of a finding",
	feedbackv1.FeedbackService_CloseCheck_FullMethodName:     "closing an alignment check",
	feedbackv1.FeedbackService_RequestRide_FullMethodName:    "asking to ride along",
	feedbackv1.FeedbackService_RecordRide_FullMethodName:     "recording a ride along",
	feedbackv1.FeedbackService_RestateQuarter_FullMethodName: "re-stating a quarter",
	feedbackv1.FeedbackService_PlanRecovery_FullMethodName:   "agreeing on a recovery plan",
	feedbackv1.ReportService_ExportView_FullMethodName:       "exporting a view",
	feedbackv1.ReportService_Rebuild_FullMethodName:          "rebuilding the reports",

	auditv1.AuditService_GetCheckpoint_FullMethodName:    "reading checkpoints of the log",
	auditv1.AuditService_ListCheckpoints_FullMethodName:  "reading checkpoints of the log",
	auditv1.AuditService_ProveInclusion_FullMethodName:   "asking for a proof from the log",
	auditv1.AuditService_ProveConsistency_FullMethodName: "asking for a proof from the log",
	auditv1.AuditService_Replay_FullMethodName:           "reading the log as it is stored",
}

// act is what a method does, as the beginning of a sentence.
func act(method string) string {
	if words := acts[method]; words != "" {
		return words
	}
	return "this"
}

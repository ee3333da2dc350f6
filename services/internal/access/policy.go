package access

import (
	"slices"
	"strings"

	"google.golang.org/grpc/health/grpc_health_v1"

	agreementv1 "github.com/leadbaton/baton/proto/gen/baton/agreement/v1"
	auditv1 "github.com/leadbaton/baton/proto/gen/baton/audit/v1"
	deliveryv1 "github.com/leadbaton/baton/proto/gen/baton/delivery/v1"
	feedbackv1 "github.com/leadbaton/baton/proto/gen/baton/feedback/v1"
	intakev1 "github.com/leadbaton/baton/proto/gen/baton/intake/v1"
	leadv1 "github.com/leadbaton/baton/proto/gen/baton/lead/v1"
	personv1 "github.com/leadbaton/baton/proto/gen/baton/person/v1"
	qualificationv1 "github.com/leadbaton/baton/proto/gen/baton/qualification/v1"
	routingv1 "github.com/leadbaton/baton/proto/gen/baton/routing/v1"
	scorev1 "github.com/leadbaton/baton/proto/gen/baton/score/v1"
	"github.com/leadbaton/baton/services/internal/fault"
)

// everyone is whoever has a role: both departments read the same pages.
var everyone = Roles()

// members are the roles of those who can be given leads, and of those who speak
// for them. The auditor only reads.
var members = []string{Marketing, Sales, Qualifier, Manager, Arbiter, Operator}

// auditors may read the log as it is stored.
var auditors = []string{Auditor, Operator, Manager}

// Policy names, for every method, who may call it. What is not listed is
// refused. Where a method needs more than a role (one's own lead, another
// person's absence), its service checks the rest.
var Policy = map[string][]string{
	intakev1.IntakeService_Submit_FullMethodName:        {Operator, Marketing},
	intakev1.IntakeService_ImportHistory_FullMethodName: {Operator},
	intakev1.IntakeService_ListSources_FullMethodName:   everyone,

	intakev1.IntakeService_SubmitBatch_FullMethodName:      {Operator, Marketing},
	intakev1.IntakeService_RecordTouch_FullMethodName:      {Operator, Marketing, Sales},
	intakev1.IntakeService_ResolveLeads_FullMethodName:     {Operator, Marketing},
	intakev1.IntakeService_CheckSubmissions_FullMethodName: {Operator, Marketing},
	intakev1.IntakeService_DeclareAccounts_FullMethodName:  {Operator, Manager},
	intakev1.IntakeService_ListAccounts_FullMethodName:     everyone,
	intakev1.IntakeService_GetSource_FullMethodName:        everyone,
	intakev1.IntakeService_AddSource_FullMethodName:        {Operator, Marketing},
	intakev1.IntakeService_ChangeSource_FullMethodName:     {Operator, Marketing},
	intakev1.IntakeService_RotateSource_FullMethodName:     {Operator, Marketing},
	intakev1.IntakeService_TestSource_FullMethodName:       {Operator, Marketing},
	intakev1.IntakeService_ListPresets_FullMethodName:      everyone,
	// What was found in the bodies is personal; whoever maps a source sees it.
	intakev1.IntakeService_ListDeliveries_FullMethodName:  {Operator, Marketing},
	intakev1.IntakeService_RemapSource_FullMethodName:     {Operator, Marketing},
	intakev1.IntakeService_GetIntakeLedger_FullMethodName: everyone,

	personv1.PersonService_GetPerson_FullMethodName:      everyone,
	personv1.PersonService_ListMatches_FullMethodName:    {Operator, Marketing, Sales, Manager},
	personv1.PersonService_MergePersons_FullMethodName:   {Operator, Marketing, Manager},
	personv1.PersonService_UnmergePersons_FullMethodName: {Operator, Marketing, Manager},
	personv1.PersonService_DismissMatch_FullMethodName:   {Operator, Marketing, Manager},

	agreementv1.AgreementService_Propose_FullMethodName: {Marketing, Sales, Manager, Operator},
	// The signature proves itself; the role keeps strangers from the list.
	agreementv1.AgreementService_Sign_FullMethodName:           {Marketing, Sales, Manager},
	agreementv1.AgreementService_GetAgreement_FullMethodName:   everyone,
	agreementv1.AgreementService_ListAgreements_FullMethodName: everyone,
	agreementv1.AgreementService_ListFields_FullMethodName:     everyone,
	agreementv1.AgreementService_CountAudience_FullMethodName:  everyone,

	agreementv1.AgreementService_RenderAgreement_FullMethodName:   everyone,
	agreementv1.AgreementService_CompareAgreements_FullMethodName: everyone,
	agreementv1.AgreementService_GetGlossary_FullMethodName:       everyone,
	// Everybody for themselves: the receipt is in the name of who calls.
	agreementv1.AgreementService_RecordRead_FullMethodName: everyone,

	scorev1.ScoreService_Train_FullMethodName: {Operator},
	// As with the agreement: who signs proves it by the signature.
	scorev1.ScoreService_Sign_FullMethodName:          {Marketing, Sales, Manager},
	scorev1.ScoreService_Switch_FullMethodName:        {Operator, Manager},
	scorev1.ScoreService_GetScore_FullMethodName:      everyone,
	scorev1.ScoreService_ListScores_FullMethodName:    everyone,
	scorev1.ScoreService_ScoreLead_FullMethodName:     everyone,
	scorev1.ScoreService_ProposePoints_FullMethodName: everyone,

	qualificationv1.QualificationService_RecordCall_FullMethodName:       {Qualifier},
	qualificationv1.QualificationService_Explain_FullMethodName:          everyone,
	qualificationv1.QualificationService_GetQuestionnaire_FullMethodName: everyone,
	qualificationv1.QualificationService_Preview_FullMethodName:          everyone,
	qualificationv1.QualificationService_Try_FullMethodName:              everyone,

	routingv1.RoutingService_GetOwner_FullMethodName: everyone,
	routingv1.RoutingService_Accept_FullMethodName:   {Sales, Qualifier},
	routingv1.RoutingService_Reject_FullMethodName:   {Sales, Qualifier},
	// Everybody for themselves; the service asks for more when it is for others.
	routingv1.RoutingService_SetAvailability_FullMethodName:  members,
	routingv1.RoutingService_AddMember_FullMethodName:        {Operator, Manager},
	routingv1.RoutingService_PlaceMember_FullMethodName:      {Operator, Manager},
	routingv1.RoutingService_RenewToken_FullMethodName:       {Operator, Manager},
	routingv1.RoutingService_DeactivateMember_FullMethodName: {Operator, Manager},
	routingv1.RoutingService_ListMembers_FullMethodName:      everyone,
	routingv1.RoutingService_ListQueue_FullMethodName:        everyone,
	routingv1.RoutingService_Claim_FullMethodName:            {Sales, Qualifier},
	routingv1.RoutingService_SetPresence_FullMethodName:      members,
	routingv1.RoutingService_AdjustTurns_FullMethodName:      {Operator, Manager},
	routingv1.RoutingService_Reassign_FullMethodName:         {Operator, Manager},
	routingv1.RoutingService_BulkReassign_FullMethodName:     {Operator, Manager},
	routingv1.RoutingService_UndoReassign_FullMethodName:     {Operator, Manager},
	// Everybody may ask why: rules that nobody may look into are not believed.
	routingv1.RoutingService_WhyNot_FullMethodName:           everyone,
	routingv1.RoutingService_ListClocks_FullMethodName:       everyone,
	routingv1.RoutingService_WatchAssignments_FullMethodName: everyone,

	deliveryv1.DeliveryService_ListChannels_FullMethodName:  everyone,
	deliveryv1.DeliveryService_SetChannel_FullMethodName:    {Operator},
	deliveryv1.DeliveryService_RemoveChannel_FullMethodName: {Operator},
	deliveryv1.DeliveryService_TestChannel_FullMethodName:   {Operator},
	deliveryv1.DeliveryService_ListNotices_FullMethodName:   everyone,
	deliveryv1.DeliveryService_Redeliver_FullMethodName:     {Operator, Manager},
	deliveryv1.DeliveryService_GetReceipt_FullMethodName:    everyone,
	// Everybody for themselves: it counts for whom the lead is offered to.
	deliveryv1.DeliveryService_RecordOpened_FullMethodName: {Sales, Qualifier},

	feedbackv1.FeedbackService_RecordOutcome_FullMethodName:       {Sales, Qualifier, Manager},
	feedbackv1.FeedbackService_ImportOutcomes_FullMethodName:      {Operator, Manager},
	feedbackv1.FeedbackService_ImportOwners_FullMethodName:        {Operator, Manager},
	feedbackv1.FeedbackService_ListWaitingOutcomes_FullMethodName: everyone,
	feedbackv1.FeedbackService_GetFeedbackForm_FullMethodName:     everyone,
	feedbackv1.FeedbackService_GiveFeedback_FullMethodName:        {Sales, Qualifier, Manager},
	feedbackv1.FeedbackService_ListFeedback_FullMethodName:        everyone,
	// For the caller's own department; the arbiter speaks for neither.
	feedbackv1.FeedbackService_OpenDispute_FullMethodName:    {Marketing, Sales, Qualifier, Manager},
	feedbackv1.FeedbackService_AnswerDispute_FullMethodName:  {Marketing, Sales, Qualifier, Manager},
	feedbackv1.FeedbackService_DecideDispute_FullMethodName:  {Arbiter, Manager, Marketing, Sales},
	feedbackv1.FeedbackService_GetDispute_FullMethodName:     everyone,
	feedbackv1.FeedbackService_ListDisputes_FullMethodName:   everyone,
	feedbackv1.FeedbackService_DrawReview_FullMethodName:     {Arbiter, Manager, Operator},
	feedbackv1.FeedbackService_ProposeTargets_FullMethodName: {Marketing, Sales, Manager, Operator},
	// As with the agreement: who signs proves it by the signature.
	feedbackv1.FeedbackService_SignTargets_FullMethodName:     {Marketing, Sales, Manager},
	feedbackv1.FeedbackService_GetQuarter_FullMethodName:      everyone,
	feedbackv1.FeedbackService_ListQuarters_FullMethodName:    everyone,
	feedbackv1.FeedbackService_GetTargetLedger_FullMethodName: everyone,
	feedbackv1.FeedbackService_CloseQuarter_FullMethodName:    {Manager, Operator},
	feedbackv1.FeedbackService_RestateQuarter_FullMethodName:  {Manager, Operator},
	feedbackv1.FeedbackService_PlanRecovery_FullMethodName:    {Manager, Marketing, Sales},
	// Whoever the agreement names reads it, and nobody else of these.
	feedbackv1.FeedbackService_OpenEvidence_FullMethodName:  members,
	feedbackv1.FeedbackService_ListChecks_FullMethodName:    everyone,
	feedbackv1.FeedbackService_CloseCheck_FullMethodName:    {Manager, Arbiter, Operator},
	feedbackv1.FeedbackService_RequestRide_FullMethodName:   {Marketing},
	feedbackv1.FeedbackService_RecordRide_FullMethodName:    {Marketing, Sales, Qualifier},
	feedbackv1.FeedbackService_ListRides_FullMethodName:     everyone,
	feedbackv1.ReportService_GetReport_FullMethodName:       everyone,
	feedbackv1.ReportService_GetStatus_FullMethodName:       everyone,
	feedbackv1.ReportService_ListMetrics_FullMethodName:     everyone,
	feedbackv1.ReportService_ListReportLeads_FullMethodName: everyone,
	feedbackv1.ReportService_ListViews_FullMethodName:       everyone,
	feedbackv1.ReportService_ExportView_FullMethodName:      {Operator, Manager, Auditor, Marketing},
	feedbackv1.ReportService_Rebuild_FullMethodName:         {Operator},

	leadv1.LeadService_GetLead_FullMethodName:       everyone,
	leadv1.LeadService_GetHistory_FullMethodName:    everyone,
	leadv1.LeadService_ListLeads_FullMethodName:     everyone,
	leadv1.LeadService_ListNurturing_FullMethodName: everyone,
	leadv1.LeadService_WatchEvents_FullMethodName:   everyone,

	auditv1.AuditService_GetCheckpoint_FullMethodName:    auditors,
	auditv1.AuditService_ListCheckpoints_FullMethodName:  auditors,
	auditv1.AuditService_ProveInclusion_FullMethodName:   auditors,
	auditv1.AuditService_ProveConsistency_FullMethodName: auditors,
	auditv1.AuditService_Replay_FullMethodName:           auditors,
}

// open may be called by anybody, without a token: they say whether the process
// is up and which methods it has, and nothing about leads.
var open = map[string]bool{
	grpc_health_v1.Health_Check_FullMethodName:                       true,
	grpc_health_v1.Health_List_FullMethodName:                        true,
	grpc_health_v1.Health_Watch_FullMethodName:                       true,
	"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo":      true,
	"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": true,
}

// Allowed says whether an actor may call a method, named in full with its
// leading slash; the fault says what was not allowed, which roles may, and which
// the actor has. Which method it was is for the log.
func Allowed(a Actor, method string) error {
	roles, listed := Policy[method]
	if !listed {
		return fault.New(fault.Denied, "this is allowed to nobody: no role stands for it")
	}
	if a.Has(roles...) {
		return nil
	}
	have := "no role"
	if len(a.Roles) > 0 {
		have = strings.Join(a.Roles, ", ")
	}
	return fault.New(fault.Denied, "%s takes the role %s; you have %s", act(method), anyOf(roles), have)
}

// anyOf lists roles in the order in which people read them, "sales, manager or operator".
func anyOf(roles []string) string {
	var words []string
	for _, r := range Roles() {
		if slices.Contains(roles, r) {
			words = append(words, r)
		}
	}
	if n := len(words) - 1; n > 0 {
		return strings.Join(words[:n], ", ") + " or " + words[n]
	}
	return strings.Join(words, "")
}

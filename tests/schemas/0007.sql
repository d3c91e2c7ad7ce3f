BEGIN TRANSACTION;
CREATE TABLE access_keys (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	principal_id TEXT NOT NULL, 
	secret BLOB NOT NULL, 
	status TEXT NOT NULL, 
	created_at INTEGER NOT NULL, last_used_at INTEGER, last_used_service TEXT, last_used_region TEXT, 
	CONSTRAINT pk_access_keys PRIMARY KEY (id), 
	CONSTRAINT fk_access_keys_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
INSERT INTO "access_keys" VALUES('AKIAMOORAGETESTROOT0','000000000000','000000000000',X'01CA8C4FFAB52B5D5C7B766CE332B6BD4EF7FA2BE630082C1E38B939D29E1EFB55BA33B3BB2BFD14A3D12D4F109D6AD90A6001325D07B1B47A4BE59F63CD67DD64C99FFBD119C8B4730B269761','Active',1795978935020060,NULL,NULL,NULL);
INSERT INTO "access_keys" VALUES('AKIAO6M3I7ILG7WORRGV','000000000000','AIDAAB65ASFPRQUJUQ3V2',X'01CA8C4FFAB52B5D5CC477A3566C3D493929F55738568813EE68B61F7CAB9912CF25C7B3F08280424F6BB5F7E958524534FFD05258C71FCBF7EDD89D2471D447F40AF51983BCC8C492912A496D','Active',1795978937991957,NULL,NULL,NULL);
CREATE TABLE access_reports (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	arn TEXT NOT NULL, 
	granularity TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_access_reports PRIMARY KEY (id), 
	CONSTRAINT fk_access_reports_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE account_documents (
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	document TEXT NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_account_documents PRIMARY KEY (account_id, kind), 
	CONSTRAINT fk_account_documents_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
INSERT INTO "account_documents" VALUES('000000000000','passwords:AIDAAB65ASFPRQUJUQ3V2','["$argon2id$v=19$m=19456,t=2,p=1$w2Oxz8ZhGvjQlDuPqGmUxg$9QgwdCGF8c5N9LAUM5uQdTCAQyUbcU+B4uBOEIwLiJY"]',1795978938384375);
CREATE TABLE account_requests (
	id TEXT NOT NULL, 
	account_name TEXT NOT NULL, 
	email TEXT NOT NULL, 
	state TEXT NOT NULL, 
	failure TEXT, 
	account_id TEXT, 
	requested_at INTEGER NOT NULL, 
	completed_at INTEGER, 
	CONSTRAINT pk_account_requests PRIMARY KEY (id)
)
 STRICT

;
CREATE TABLE accounts (
	id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	created_at INTEGER NOT NULL, identity_epoch INTEGER DEFAULT 0 NOT NULL, alias TEXT, email TEXT, 
	CONSTRAINT pk_accounts PRIMARY KEY (id)
)
 STRICT

;
INSERT INTO "accounts" VALUES('000000000000','default',1795978935020060,10,NULL,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0007');
CREATE TABLE anonymous_transfers (
	month TEXT NOT NULL, 
	place TEXT NOT NULL, 
	sent_bytes INTEGER NOT NULL, 
	CONSTRAINT pk_anonymous_transfers PRIMARY KEY (month, place)
)
 STRICT

;
CREATE TABLE answer_versions (
	slot INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	CONSTRAINT pk_answer_versions PRIMARY KEY (slot)
)
 STRICT

;
CREATE TABLE attachments (
	identity_id TEXT NOT NULL, 
	policy_arn TEXT NOT NULL, 
	attached_at INTEGER NOT NULL, 
	CONSTRAINT pk_attachments PRIMARY KEY (identity_id, policy_arn), 
	CONSTRAINT fk_attachments_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "attachments" VALUES('AIDAAB65ASFPRQUJUQ3V2','arn:aws:iam::000000000000:policy/all',1795978938145314);
INSERT INTO "attachments" VALUES('AROAEQWGLERUIZZ5BAQAA','arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy',1795978938474069);
CREATE TABLE blob_pieces (
	blob_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	storage_key TEXT NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_blob_pieces PRIMARY KEY (blob_id, position), 
	CONSTRAINT fk_blob_pieces_blob_id FOREIGN KEY(blob_id) REFERENCES blobs (id), 
	CONSTRAINT uq_blob_pieces_storage_key UNIQUE (storage_key)
)
 STRICT

;
INSERT INTO "blob_pieces" VALUES(1,0,17196,'biyot6bmcqih4miab2wro7zwpkletueu',X'01C069B56C2BEA8FF56358E07D4F107AD2D0F5270790B28BC2D90463CFB0EFFB83AE6C7204C7A75E422249A45001E44E99683C8D24393EDDEEC4A00A91F58D4BC33EEF6575');
INSERT INTO "blob_pieces" VALUES(2,0,228,'0z57yb7tqj3bwbn6j2janjk4affpgbehr',X'01C069B56C2BEA8FF512B456CA7DCEC835BF9AF1E9D8B1AA08600D5708127223FF4C461130FA2B69894D94F1E8D4D1EDC799B24598E6AA6438B1688782CE495F296A5107BB');
INSERT INTO "blob_pieces" VALUES(3,0,272,'0qva6l3q7cfsetxvqzttrrvodfdwxwzxq',X'01C069B56C2BEA8FF51C747781085088F8C3B40E3AA8A78E99A6C0ABEEDC7C711A9E0B26DC94D36D4E2F15ABF5531566F2A8071157546EE258C8D7AD57BFAB2B4E0A7EBA1A');
INSERT INTO "blob_pieces" VALUES(4,0,228,'0qeyhk6d365s56mpzweziywdy2so3tsoa',X'01C069B56C2BEA8FF52578DD64EB4E3838391FC3B7EFBC6C0A38C4B8329EA2BBC245E626F905D52107F83B0E7CF2B87870DAD18249ACFEB7971D6252F8446EEA08599E2B8B');
CREATE TABLE blobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	seal_id INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_blobs_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT fk_blobs_seal_id FOREIGN KEY(seal_id) REFERENCES seals (id), 
	CONSTRAINT uq_blobs_registry_digest_seal_id UNIQUE (registry, digest, seal_id)
)
 STRICT

;
INSERT INTO "blobs" VALUES(1,1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e',1,17196,1795978936430360);
INSERT INTO "blobs" VALUES(2,1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4',1,228,1795978936479687);
INSERT INTO "blobs" VALUES(3,1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9',1,272,1795978936550642);
INSERT INTO "blobs" VALUES(4,1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9',1,228,1795978936569927);
CREATE TABLE creation_templates (
	registry INTEGER NOT NULL, 
	prefix TEXT NOT NULL, 
	document TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_creation_templates PRIMARY KEY (registry, prefix), 
	CONSTRAINT fk_creation_templates_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
INSERT INTO "creation_templates" VALUES(1,'made','{"prefix":"made","applied_for":["CREATE_ON_PUSH"],"description":null,"encryption_type":"AES256","kms_key":null,"tags":[],"tag_mutability":"MUTABLE","mutability_filters":[],"repository_policy":null,"lifecycle_policy":null,"role_arn":null}',1795978938474069,1795978938474069);
CREATE TABLE group_members (
	group_id TEXT NOT NULL, 
	user_id TEXT NOT NULL, 
	joined_at INTEGER NOT NULL, 
	CONSTRAINT pk_group_members PRIMARY KEY (group_id, user_id), 
	CONSTRAINT fk_group_members_group_id FOREIGN KEY(group_id) REFERENCES identities (id), 
	CONSTRAINT fk_group_members_user_id FOREIGN KEY(user_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "group_members" VALUES('AGPAERGN7TGHU6LMG2RIE','AIDAAB65ASFPRQUJUQ3V2',1795978938067977);
CREATE TABLE identities (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	description TEXT, 
	boundary_arn TEXT, 
	trust_policy TEXT, 
	trust_bindings TEXT, 
	max_session_seconds INTEGER, 
	linked_service TEXT, 
	last_used_at INTEGER, 
	last_used_region TEXT, 
	CONSTRAINT pk_identities PRIMARY KEY (id), 
	CONSTRAINT fk_identities_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT uq_identities_account_id_kind_folded_name UNIQUE (account_id, kind, folded_name)
)
 STRICT

;
INSERT INTO "identities" VALUES('AIDAAB65ASFPRQUJUQ3V2','000000000000','user','alice','alice','/',1795978937954697,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AGPAERGN7TGHU6LMG2RIE','000000000000','group','people','people','/',1795978938040830,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AROAEQWGLERUIZZ5BAQAA','000000000000','role','AWSServiceRoleForECRTemplate','awsserviceroleforecrtemplate','/aws-service-role/ecr.amazonaws.com/',1795978938474069,'Lets the registry create repositories by templates.',NULL,'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}]}','{}',3600,'ecr.amazonaws.com',NULL,NULL);
CREATE TABLE identity_providers (
	arn TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	url TEXT NOT NULL, 
	client_ids TEXT NOT NULL, 
	thumbprints TEXT NOT NULL, 
	document TEXT, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_identity_providers PRIMARY KEY (arn), 
	CONSTRAINT fk_identity_providers_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE identity_tags (
	resource TEXT NOT NULL, 
	folded_key TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_identity_tags PRIMARY KEY (resource, folded_key)
)
 STRICT

;
INSERT INTO "identity_tags" VALUES('AIDAAB65ASFPRQUJUQ3V2','k','k','v');
CREATE TABLE image_replications (
	manifest_id INTEGER NOT NULL, 
	region TEXT NOT NULL, 
	registry_id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	failure_code TEXT, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_image_replications PRIMARY KEY (manifest_id, region, registry_id), 
	CONSTRAINT fk_image_replications_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
CREATE TABLE inline_policies (
	identity_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	document TEXT NOT NULL, 
	CONSTRAINT pk_inline_policies PRIMARY KEY (identity_id, name), 
	CONSTRAINT fk_inline_policies_identity_id FOREIGN KEY(identity_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "inline_policies" VALUES('AGPAERGN7TGHU6LMG2RIE','inline','{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}');
CREATE TABLE installation (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_installation PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "installation" VALUES('root-key','ca8c4ffab52b5d5c');
CREATE TABLE instance_profiles (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	role_id TEXT, 
	CONSTRAINT pk_instance_profiles PRIMARY KEY (id), 
	CONSTRAINT fk_instance_profiles_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT fk_instance_profiles_role_id FOREIGN KEY(role_id) REFERENCES identities (id), 
	CONSTRAINT uq_instance_profiles_account_id_folded_name UNIQUE (account_id, folded_name)
)
 STRICT

;
CREATE TABLE job_schedule (
	kind TEXT NOT NULL, 
	slot INTEGER NOT NULL, 
	CONSTRAINT pk_job_schedule PRIMARY KEY (kind)
)
 STRICT

;
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind TEXT NOT NULL, 
	unique_key TEXT, 
	lane INTEGER NOT NULL, 
	payload TEXT NOT NULL, 
	state TEXT NOT NULL, 
	run_after INTEGER NOT NULL, 
	attempts INTEGER NOT NULL, 
	epoch INTEGER NOT NULL, 
	lease_until INTEGER NOT NULL, 
	leased_by TEXT, 
	is_cancelled INTEGER NOT NULL, 
	last_error TEXT, 
	enqueued_at INTEGER NOT NULL, 
	begun_at INTEGER, 
	failed_at INTEGER, 
	done INTEGER, 
	total INTEGER, 
	done_before INTEGER, 
	told_first_at INTEGER, 
	told_at INTEGER
)
 STRICT

;
CREATE TABLE lifecycle_policies (
	repository_id INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	put_at INTEGER NOT NULL, 
	last_evaluated_at INTEGER NOT NULL, 
	CONSTRAINT pk_lifecycle_policies PRIMARY KEY (repository_id), 
	CONSTRAINT fk_lifecycle_policies_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "lifecycle_policies" VALUES(1,'{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]}',1795978938435416,0);
CREATE TABLE lifecycle_preview_results (
	repository_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	pushed_at INTEGER NOT NULL, 
	action TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	storage_class TEXT NOT NULL, 
	CONSTRAINT pk_lifecycle_preview_results PRIMARY KEY (repository_id, position), 
	CONSTRAINT fk_lifecycle_preview_results_repository_id FOREIGN KEY(repository_id) REFERENCES lifecycle_previews (repository_id)
)
 STRICT

;
CREATE TABLE lifecycle_previews (
	repository_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	document TEXT NOT NULL, 
	completed_at INTEGER NOT NULL, 
	expiring INTEGER NOT NULL, 
	transitioning INTEGER NOT NULL, 
	CONSTRAINT pk_lifecycle_previews PRIMARY KEY (repository_id), 
	CONSTRAINT fk_lifecycle_previews_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
CREATE TABLE login_profiles (
	user_id TEXT NOT NULL, 
	password_hash TEXT NOT NULL, 
	must_reset INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	locked_until INTEGER NOT NULL, 
	CONSTRAINT pk_login_profiles PRIMARY KEY (user_id), 
	CONSTRAINT fk_login_profiles_user_id FOREIGN KEY(user_id) REFERENCES identities (id)
)
 STRICT

;
INSERT INTO "login_profiles" VALUES('AIDAAB65ASFPRQUJUQ3V2','$argon2id$v=19$m=19456,t=2,p=1$w2Oxz8ZhGvjQlDuPqGmUxg$9QgwdCGF8c5N9LAUM5uQdTCAQyUbcU+B4uBOEIwLiJY',0,1795978938384375,0,0);
CREATE TABLE managed_policies (
	id TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	folded_name TEXT NOT NULL, 
	path TEXT NOT NULL, 
	arn TEXT NOT NULL, 
	description TEXT, 
	default_version INTEGER NOT NULL, 
	newest_version INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_managed_policies PRIMARY KEY (id), 
	CONSTRAINT fk_managed_policies_account_id FOREIGN KEY(account_id) REFERENCES accounts (id), 
	CONSTRAINT uq_managed_policies_account_id_folded_name UNIQUE (account_id, folded_name), 
	CONSTRAINT uq_managed_policies_arn UNIQUE (arn)
)
 STRICT

;
INSERT INTO "managed_policies" VALUES('ANPAGPMKLICVDGC44T677','000000000000','all','all','/','arn:aws:iam::000000000000:policy/all',NULL,1,1,1795978938108093,1795978938108093);
CREATE TABLE manifest_blobs (
	manifest_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	role TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	CONSTRAINT pk_manifest_blobs PRIMARY KEY (manifest_id, position), 
	CONSTRAINT fk_manifest_blobs_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
INSERT INTO "manifest_blobs" VALUES(1,0,1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4','config','application/vnd.oci.image.config.v1+json',228);
INSERT INTO "manifest_blobs" VALUES(1,1,1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e','layer','application/vnd.oci.image.layer.v1.tar+gzip',17196);
INSERT INTO "manifest_blobs" VALUES(2,0,1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9','config','application/vnd.oci.image.config.v1+json',228);
INSERT INTO "manifest_blobs" VALUES(2,1,1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9','layer','application/vnd.oci.image.layer.v1.tar+gzip',272);
CREATE TABLE manifest_children (
	parent_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	CONSTRAINT pk_manifest_children PRIMARY KEY (parent_id, position), 
	CONSTRAINT fk_manifest_children_parent_id FOREIGN KEY(parent_id) REFERENCES manifests (id)
)
 STRICT

;
CREATE TABLE manifest_payloads (
	manifest_id INTEGER NOT NULL, 
	sealed BLOB NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_manifest_payloads PRIMARY KEY (manifest_id), 
	CONSTRAINT fk_manifest_payloads_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
INSERT INTO "manifest_payloads" VALUES(1,X'04873766258C81CF5C57848E41E183C363F8A4F0CCA2F9F0A9539ECF5ECE43C4A1F5C88637C7E3A7AF911D28AB4444F4015D57BFF2572EFB21A196495CD12CC5CBF7166B70134C4CDB97DEDF8224B1EF45C6F1324250664A4ABD64682FF751ADAE9DDFCA66D48F6A0D2F4BA11DD791A885A23E673625031BC72628CAF758E93BCA90169AF17589CA3DAC16E12E0BA1258FA829BDDB7DD6181488BB2FDF6D36A5BAB699671C20FECA5576E78C98DED35B7E69865A4577059437A4954581DC990328E595984141653361DCAB6106990565F41CC10DDCA60741091F9C1CFDC38AC0AB75FF921FB434866EB8BAF9BB0469D6B583BA5F7FF552651C1D7C5B18AEBBA8AC3C353FD3F08C4E3105802422D208CE8E4C7A212DF5DF703775C3D3C7DC4211A6EBE2D1ED10DEBCB0BE2E135DB1C68D7B4EDBAA849199E2311BB2F245964B65FAC114DC9012C4C1BDFD3655B1443369AEEEED0474C59B5353565D820C2AFF159F6338A76F884B6E010159CD21E4536EA24097E9B814BD687FB13FD460E21662F2CC621207A1803DACA7CAB1A35FEDF31B90CD418B0EDC6C9AFFA7E1B4A2879BE7EE5A4F74336E8796427EE37ABD637A0391BEA2101A37206373DC089C689B51',X'01C069B56C2BEA8FF52D01E373D594EF5DA7BB57C1F31C18136F4451908222C83A0340AEDD6E410BCD7F4C6292BCCB71DE22B4BAFD15A1703FAA0EB61129AA2BFA49BE6FC0');
INSERT INTO "manifest_payloads" VALUES(2,X'EDD8B0A57AE1D4FDF0FFCA7C108A5E499396925B1E5C714D62327C272FF88E033AA843C9609DC319BEBB9FE765E48E71FC261D27B6AFDC3B5FF4F3E592D55663C4C61ACCF626E497B2F04F3D13406EA2BACC42CDDDE07F1144ABE47597F82ECF401DB08056E20D02EB8DAD0B2BD9248D08607AB4957DA06327DB5D09C5089EF1B3F6D065A3764BA41F8D6E912DF1AC46E98DADBA25ED162C8191C1B5BA528AEF30B4834B2282652C95989E05EA40FD48AFF3758CD619D651B624A4677CA62DDCA879E80B573B21057A84FCF6DD26EBBA793736290C53F3506FB673E0262662AE4DAD0016950D6DF4572BC72528A34C577A11CD8AE39D3248565AFDE5E965D754A88500DC93B608DDA86AF772C3DEBAB8AB210273823EFD3CE777EADC5C3086111199A5FD4C41C6D858D906BCA9B1BDBF5953F519367A9984D0F91A834DD66E194891E2A9E73F09014977DF8D5C21DBB725A9C7691C1817EBFDD811ABA7256C5B8EA750A1DBB672BC693D4FD1D3F8D405710FD50EFC65D8E97CD82BCB66D1422881FC06B8094ACD928A57D8F706743D36CC8179162DA4FB9D68937F1396B6FF33D0BB18865ABED2C06B3EE18F393BD25CB5D94F0EBF035183E9BAC9600366',X'01C069B56C2BEA8FF52B3B91DF3AD4C5B1D2F613E73949AC06E55F557378EE6B9EACAFDF0D1426A21E570D659DFDC6553D91D53CCB7C4462A6271FC5A891A284D3DDDDC065');
CREATE TABLE manifest_pulls (
	manifest_id INTEGER NOT NULL, 
	last_pulled_at INTEGER NOT NULL, 
	pulls INTEGER NOT NULL, 
	CONSTRAINT pk_manifest_pulls PRIMARY KEY (manifest_id), 
	CONSTRAINT fk_manifest_pulls_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id)
)
 STRICT

;
CREATE TABLE manifests (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	media_type TEXT NOT NULL, 
	artifact_type TEXT, 
	config_media_type TEXT, 
	subject_digest TEXT, 
	annotations TEXT NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	image_size_bytes INTEGER NOT NULL, 
	pushed_at INTEGER NOT NULL, 
	pushed_by TEXT NOT NULL, archived INTEGER DEFAULT 0 NOT NULL, last_archived_at INTEGER, last_activated_at INTEGER, 
	CONSTRAINT fk_manifests_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id), 
	CONSTRAINT uq_manifests_repository_id_digest UNIQUE (repository_id, digest)
)
 STRICT

;
INSERT INTO "manifests" VALUES(1,1,'sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',420,17424,1795978936490459,'arn:aws:iam::000000000000:root',0,NULL,NULL);
INSERT INTO "manifests" VALUES(2,1,'sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',418,500,1795978936583988,'arn:aws:iam::000000000000:root',0,NULL,NULL);
CREATE TABLE mfa_devices (
	serial TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	user_id TEXT, 
	seed BLOB NOT NULL, 
	created_at INTEGER NOT NULL, 
	enabled_at INTEGER, 
	last_step INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	locked_until INTEGER NOT NULL, 
	CONSTRAINT pk_mfa_devices PRIMARY KEY (serial), 
	CONSTRAINT fk_mfa_devices_account_id FOREIGN KEY(account_id) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE organizations (
	id TEXT NOT NULL, 
	management_account TEXT NOT NULL, 
	root_id TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_organizations PRIMARY KEY (id), 
	CONSTRAINT fk_organizations_management_account FOREIGN KEY(management_account) REFERENCES accounts (id)
)
 STRICT

;
CREATE TABLE policy_versions (
	policy_id TEXT NOT NULL, 
	version INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_policy_versions PRIMARY KEY (policy_id, version), 
	CONSTRAINT fk_policy_versions_policy_id FOREIGN KEY(policy_id) REFERENCES managed_policies (id)
)
 STRICT

;
INSERT INTO "policy_versions" VALUES('ANPAGPMKLICVDGC44T677',1,'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}',1795978938108093);
CREATE TABLE principal_activity (
	principal_id TEXT NOT NULL, 
	action TEXT NOT NULL, 
	resource TEXT NOT NULL, 
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	first_at INTEGER NOT NULL, 
	last_at INTEGER NOT NULL, 
	uses INTEGER NOT NULL, 
	CONSTRAINT pk_principal_activity PRIMARY KEY (principal_id, action, resource)
)
 STRICT

;
CREATE TABLE public_aliases (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	alias TEXT NOT NULL, 
	registry INTEGER NOT NULL, 
	is_default INTEGER NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_public_aliases_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
INSERT INTO "public_aliases" VALUES(1,'hd0u98c9',2,1,1795978938541562);
CREATE TABLE public_registries (
	registry INTEGER NOT NULL, 
	display_name TEXT, 
	is_verified INTEGER NOT NULL, 
	CONSTRAINT pk_public_registries PRIMARY KEY (registry), 
	CONSTRAINT fk_public_registries_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
INSERT INTO "public_registries" VALUES(2,'Somebody',0);
CREATE TABLE pull_through_rules (
	registry INTEGER NOT NULL, 
	prefix TEXT NOT NULL, 
	upstream_url TEXT NOT NULL, 
	upstream_registry TEXT NOT NULL, 
	upstream_prefix TEXT NOT NULL, 
	credential_arn TEXT, 
	role_arn TEXT, 
	created_at INTEGER NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_pull_through_rules PRIMARY KEY (registry, prefix), 
	CONSTRAINT fk_pull_through_rules_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE pull_time_exclusions (
	registry INTEGER NOT NULL, 
	principal_arn TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT pk_pull_time_exclusions PRIMARY KEY (registry, principal_arn), 
	CONSTRAINT fk_pull_time_exclusions_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE rate_buckets (
	name TEXT NOT NULL, 
	full_at INTEGER NOT NULL, 
	CONSTRAINT pk_rate_buckets PRIMARY KEY (name)
)
 STRICT

;
CREATE TABLE registries (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	partition TEXT NOT NULL, 
	region TEXT NOT NULL, 
	registry_id TEXT NOT NULL, 
	address TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_registries_registry_id FOREIGN KEY(registry_id) REFERENCES accounts (id), 
	CONSTRAINT uq_registries_address UNIQUE (address), 
	CONSTRAINT uq_registries_partition_region_registry_id UNIQUE (partition, region, registry_id)
)
 STRICT

;
INSERT INTO "registries" VALUES(1,'aws','us-east-1','000000000000','127.83.156.220',1795978936293636);
INSERT INTO "registries" VALUES(2,'aws','','000000000000','public:000000000000',1795978938541562);
CREATE TABLE registry_documents (
	registry INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	document TEXT NOT NULL, 
	bindings TEXT NOT NULL, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_registry_documents PRIMARY KEY (registry, kind), 
	CONSTRAINT fk_registry_documents_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE registry_settings (
	registry INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_registry_settings PRIMARY KEY (registry, name), 
	CONSTRAINT fk_registry_settings_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE replication_backfills (
	id TEXT NOT NULL, 
	registry INTEGER NOT NULL, 
	region TEXT NOT NULL, 
	registry_id TEXT NOT NULL, 
	status TEXT NOT NULL, 
	failure_code TEXT, 
	started_at INTEGER NOT NULL, 
	ended_at INTEGER, 
	CONSTRAINT pk_replication_backfills PRIMARY KEY (id), 
	CONSTRAINT fk_replication_backfills_registry FOREIGN KEY(registry) REFERENCES registries (id)
)
 STRICT

;
CREATE TABLE repositories (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	state TEXT NOT NULL, 
	created_at INTEGER NOT NULL, 
	tag_mutability TEXT NOT NULL, 
	mutability_filters TEXT NOT NULL, 
	scan_on_push INTEGER NOT NULL, 
	encryption_type TEXT NOT NULL, 
	kms_key TEXT, 
	seal_id INTEGER NOT NULL, policy TEXT, policy_bindings TEXT, 
	CONSTRAINT fk_repositories_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT fk_repositories_seal_id FOREIGN KEY(seal_id) REFERENCES seals (id)
)
 STRICT

;
INSERT INTO "repositories" VALUES(1,1,'app','live',1795978936293636,'MUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
INSERT INTO "repositories" VALUES(2,1,'other','live',1795978936368070,'IMMUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
INSERT INTO "repositories" VALUES(3,2,'shown','live',1795978938541562,'MUTABLE','[]',0,'AES256',NULL,2,NULL,NULL);
CREATE TABLE repository_blobs (
	repository_id INTEGER NOT NULL, 
	digest TEXT NOT NULL, 
	blob_id INTEGER NOT NULL, 
	check_after INTEGER, 
	CONSTRAINT pk_repository_blobs PRIMARY KEY (repository_id, digest), 
	CONSTRAINT fk_repository_blobs_blob_id FOREIGN KEY(blob_id) REFERENCES blobs (id), 
	CONSTRAINT fk_repository_blobs_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "repository_blobs" VALUES(1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e',1,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4',2,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9',3,NULL);
INSERT INTO "repository_blobs" VALUES(1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9',4,NULL);
CREATE TABLE repository_catalogs (
	repository_id INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	logo BLOB, 
	updated_at INTEGER NOT NULL, 
	CONSTRAINT pk_repository_catalogs PRIMARY KEY (repository_id), 
	CONSTRAINT fk_repository_catalogs_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "repository_catalogs" VALUES(3,'{"description":"d","architectures":null,"operating_systems":null,"about_text":null,"usage_text":null}',NULL,1795978938541562);
CREATE TABLE repository_counts (
	repository_id INTEGER NOT NULL, 
	images INTEGER NOT NULL, 
	CONSTRAINT pk_repository_counts PRIMARY KEY (repository_id), 
	CONSTRAINT fk_repository_counts_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "repository_counts" VALUES(1,2);
CREATE TABLE request_counts (
	account_id TEXT NOT NULL, 
	region TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	period INTEGER NOT NULL, 
	begin_at INTEGER NOT NULL, 
	calls INTEGER NOT NULL, 
	throttles INTEGER NOT NULL, 
	CONSTRAINT pk_request_counts PRIMARY KEY (account_id, region, operation, period, begin_at)
)
 STRICT

;
CREATE TABLE resource_tags (
	repository_id INTEGER NOT NULL, 
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_resource_tags PRIMARY KEY (repository_id, "key"), 
	CONSTRAINT fk_resource_tags_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "resource_tags" VALUES(1,'team','a');
CREATE TABLE seals (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	registry INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	key_reference TEXT NOT NULL, 
	wrapped_key BLOB, 
	created_at INTEGER NOT NULL, 
	CONSTRAINT fk_seals_registry FOREIGN KEY(registry) REFERENCES registries (id), 
	CONSTRAINT uq_seals_registry_kind_key_reference UNIQUE (registry, kind, key_reference)
)
 STRICT

;
INSERT INTO "seals" VALUES(1,1,'AES256','',X'01CA8C4FFAB52B5D5C7CF754451A342115336EF0CE67BDC853B92A046EAEE5C9864B04E3C0EB1D83DCE6CE72CBE329474601EA7B624A495BA1B309062114309BB17D7152EC',1795978936293636);
INSERT INTO "seals" VALUES(2,2,'AES256','',X'01CA8C4FFAB52B5D5C202372BA2F66E8FD1EA3A8E822873268A6E7319B6E820C5887B62815384498ED8C49266143366058EB371C1C41A7B6DC3BA168CAE9990EE641AB39F0',1795978938541562);
CREATE TABLE small_objects (
	"key" TEXT NOT NULL, 
	sealed BLOB NOT NULL, 
	CONSTRAINT pk_small_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "small_objects" VALUES('0z57yb7tqj3bwbn6j2janjk4affpgbehr',X'EEDA02750871E2FB776BDC2D1D96DB20E70A59C3487E255BA340DA66A7AD0259DF7157F1B475FAFA308DCF6852EB53FDA356FFFE460CAEAAAB7BCC6A1AFF8B9DC242613C6249C48AEB4D358DF1889F85F8EEBB2834589C43903D63C734F07E727235D574A2677C65A65105A6727DF270AE490423FD7A58E545FE8BDEAA6FD78879359999DCBEC2D1521544692415AC693124C91981B12D33AFB7DEEFA92C9148DB32609936E6FFD3486A53D86FA779F3F3FA19E6EF9CCF154E83EFF00A6B87A7E52281E41F82C5D1A4080ECFA2F61DDC8CAE541E0C70FD2B68FE6B56A7C2847EE2DEE56865300AF1503DA888C5F70A82E58127F4DB0FF816EB7291B13531D31E');
INSERT INTO "small_objects" VALUES('0qva6l3q7cfsetxvqzttrrvodfdwxwzxq',X'8185BF7776007315BF880F31C21709DD71C74D476FF9D74C7D5E083B02BAE2467BD7E48E6F3B45AFAE6BD417E70F8BC5EACB241E44FD0A0F130D812C15C408DF452C22E298D490A6731C6C3653A8E75A176FD297916441D38D89CB3E2B61895F522E7878E065A416EF790C17430BEECEACB82140F823571624AFBCEF651BAAB57A8ED84B5DDF69E24C57510BE30675BA2393852B2A5FCB406613CF5153859E220435341588B7A3C7D4E6B76FFDA90D0225246D4D4A1CEF5C2D849D84B9C1BF7F98B8917BAF7475238DEF95F559A2C80F1978A105E95EC5EEF8E13B0CFBDB3170AFD1F08492EFC7F9723CC35A0062DD230959CD016A21C71F2B7B8D790DBC4D2725446F42F953EED9B4FDD93C1956320FB6D7FD894CE8254395611ED69D2EB8D110B17E690CC8C0C5509D7599');
INSERT INTO "small_objects" VALUES('0qeyhk6d365s56mpzweziywdy2so3tsoa',X'44B3FE52AD6F251A98311E06D81FB5AF45DE11941CF265AFE3BDAFCB8FA462BCE83884812BCD2F10E59B9816083301DF7809EAA176567AEC23DFFBD9515906F357236DF35D4B8FD8AF98E03858A6FC11546C2ABD37E3BC0653AD46129D077EBD4189D9B41A30C9AAA2A0F2C55C86195D2F680379554D6C56728C05A296AAA12239AA6BEFBB4D17D4F1D7EE01F621E6792EE5AE12C48C42916DA390958074212EE45FE5AF9621D0E6D3E9F4A756D69A94F11D04EF0373F7EBBDC9C2C2DCB4C17F2C3CC12356C338A0CED9C6E5D001B4ABFEA7B5275CEDCAB16FDB4CDD3C6D3A81596FF6E1A7A957038194FA66D68643B5A6DD656421000BE56782F99235AE5EC1');
CREATE TABLE storage_objects (
	"key" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	due INTEGER NOT NULL, 
	CONSTRAINT pk_storage_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "storage_objects" VALUES('biyot6bmcqih4miab2wro7zwpkletueu','live',0);
INSERT INTO "storage_objects" VALUES('tbqbviyhrulu42u4lxlupxzv545yfzrx','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('prsqlprz2gsrlfux2qkp5x24ahg6s5we','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('b74pmaxignhyp47mx36owrhlll37p55a','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('7lbddo4cids5jpgrqtqszwivoodzptea','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('nleq242ev4ikybcgglp65h4jfdcjapcs','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('okj6ewn6yjhx3w2mb4hf6bp6sheiri63','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('hwh5qtgapdyav4vyqeckrnv5ltxxtkzm','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('q5m5hb42b4yhvkk5nurlf3afsh2paxqq','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('lhp446szngd32jtml7akgflgyaswfwnu','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('jsoo3kxucuc3wqewagh5sgfbtdqoffi4','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('3qibxcygjz76vizzgix7e6z4cx5nnv25','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('wa3bsmzsv7q5f7oq35fvyhovsuuk22ne','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('frq3yimqhuivzb5klnczwlu52d4i6dvx','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('s5xvfsxp2iqlw3fopccqxoi2sibjstai','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('6md7kotgsjzh63ho7ag4kto73o2p532k','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('d4cld5hrmtzlzkbjkmehcvi6ykrk2g47','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('kzamn5ya5nk5mn5xgkhkmdf4wr5woam5','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('jp5f3guvxcgix55dr7jlb4riaho7dtut','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('vt6juylli2texhjesargrcgj5mi24kqh','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('jouffuffbesjixttbdzbdyibdauyc5ay','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('xe7hggk7xjus3y4p5lcv7yqvan4wzpjy','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('3jxeny4342jefdkhq36pi72cdkejn4h7','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('day5edrljta354iclu6h5yejos6mryej','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('6s4eljayogzn5s722qni4e5qgpyr3eqq','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('g7rf6nqcoz6fmxd5cllzncrrpzaffmfz','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('74dvazpsdecjyntxrj7wzsyhwmu5xnoj','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('hvt6d4mow3w4cxgc4ugzwcqaccqo6iuf','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('xpj5p6rjzd2lu7pq6zn6cyyvgwcbzh34','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('jhmki2zikw3zttx2ukzleiladdqp4xhb','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('lehevpatqknxziftoxizvqtzz54genpg','writing',1795993336414040);
INSERT INTO "storage_objects" VALUES('oipycvh4lops5vviwmolry3x2s647u7u','writing',1795993336414040);
CREATE TABLE tag_history (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	repository_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	previous_digest TEXT, 
	valid_from INTEGER NOT NULL, 
	valid_to INTEGER, 
	moved_by TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	ended_by TEXT, 
	CONSTRAINT fk_tag_history_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "tag_history" VALUES(1,1,'large','sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316',NULL,1795978936490459,NULL,'arn:aws:iam::000000000000:root','push',NULL);
INSERT INTO "tag_history" VALUES(2,1,'small','sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e',NULL,1795978936583988,NULL,'arn:aws:iam::000000000000:root','push',NULL);
CREATE TABLE tags (
	repository_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	manifest_id INTEGER NOT NULL, 
	tagged_at INTEGER NOT NULL, 
	CONSTRAINT pk_tags PRIMARY KEY (repository_id, name), 
	CONSTRAINT fk_tags_manifest_id FOREIGN KEY(manifest_id) REFERENCES manifests (id), 
	CONSTRAINT fk_tags_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
INSERT INTO "tags" VALUES(1,'large',1,1795978936490459);
INSERT INTO "tags" VALUES(1,'small',2,1795978936583988);
CREATE TABLE upload_segments (
	upload_id TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	start INTEGER NOT NULL, 
	size_bytes INTEGER NOT NULL, 
	storage_key TEXT NOT NULL, 
	wrapped_key BLOB NOT NULL, 
	CONSTRAINT pk_upload_segments PRIMARY KEY (upload_id, position), 
	CONSTRAINT fk_upload_segments_upload_id FOREIGN KEY(upload_id) REFERENCES uploads (id), 
	CONSTRAINT uq_upload_segments_upload_id_start UNIQUE (upload_id, start)
)
 STRICT

;
CREATE TABLE uploads (
	id TEXT NOT NULL, 
	repository_id INTEGER NOT NULL, 
	principal_id TEXT NOT NULL, 
	algorithm TEXT NOT NULL, 
	size_received INTEGER NOT NULL, 
	segments INTEGER NOT NULL, 
	smallest_inner_part INTEGER, 
	last_part INTEGER, 
	prefix_digest TEXT, 
	epoch INTEGER NOT NULL, 
	lease_until INTEGER NOT NULL, 
	expires_at INTEGER NOT NULL, 
	CONSTRAINT pk_uploads PRIMARY KEY (id), 
	CONSTRAINT fk_uploads_repository_id FOREIGN KEY(repository_id) REFERENCES repositories (id)
)
 STRICT

;
CREATE INDEX ix_storage_objects_due ON storage_objects (due) WHERE state <> 'live';
CREATE INDEX ix_access_keys_account_id ON access_keys (account_id);
CREATE INDEX ix_repositories_deleted ON repositories (state) WHERE state <> 'live';
CREATE UNIQUE INDEX uq_repositories_live ON repositories (registry, name) WHERE state = 'live';
CREATE INDEX ix_manifests_repository_id_pushed_at_digest ON manifests (repository_id, pushed_at, digest);
CREATE INDEX ix_manifests_subject ON manifests (repository_id, subject_digest, id) WHERE subject_digest IS NOT NULL;
CREATE INDEX ix_repository_blobs_blob_id ON repository_blobs (blob_id);
CREATE INDEX ix_repository_blobs_check_after ON repository_blobs (check_after) WHERE check_after IS NOT NULL;
CREATE INDEX ix_tag_history_repository_id_name_valid_from ON tag_history (repository_id, name, valid_from);
CREATE UNIQUE INDEX uq_tag_history_current ON tag_history (repository_id, name) WHERE valid_to IS NULL;
CREATE INDEX ix_uploads_expires_at ON uploads (expires_at);
CREATE INDEX ix_uploads_repository_id ON uploads (repository_id);
CREATE INDEX ix_manifest_blobs_repository_id_digest ON manifest_blobs (repository_id, digest);
CREATE INDEX ix_manifest_children_repository_id_digest ON manifest_children (repository_id, digest);
CREATE INDEX ix_tags_manifest_id ON tags (manifest_id);
CREATE UNIQUE INDEX uq_accounts_alias ON accounts (alias);
CREATE INDEX ix_access_keys_principal_id ON access_keys (principal_id);
CREATE INDEX ix_group_members_user_id ON group_members (user_id);
CREATE INDEX ix_attachments_policy_arn ON attachments (policy_arn);
CREATE INDEX ix_instance_profiles_role_id ON instance_profiles (role_id);
CREATE INDEX ix_identity_providers_account_id ON identity_providers (account_id);
CREATE INDEX ix_mfa_devices_account_id ON mfa_devices (account_id);
CREATE INDEX ix_mfa_devices_user_id ON mfa_devices (user_id);
CREATE INDEX ix_account_requests_requested_at_id ON account_requests (requested_at, id);
CREATE INDEX ix_replication_backfills_registry_started_at_id ON replication_backfills (registry, started_at, id);
CREATE UNIQUE INDEX uq_public_aliases_alias ON public_aliases (alias);
CREATE INDEX ix_public_aliases_registry ON public_aliases (registry);
CREATE INDEX ix_rate_buckets_full_at ON rate_buckets (full_at);
CREATE INDEX ix_request_counts_period_begin_at ON request_counts (period, begin_at);
CREATE INDEX ix_jobs_ready ON jobs (lane, kind, run_after, id) WHERE state = 'ready';
CREATE UNIQUE INDEX uq_jobs_ready_key ON jobs (kind, unique_key) WHERE state = 'ready';
CREATE UNIQUE INDEX uq_jobs_leased_key ON jobs (kind, unique_key) WHERE state = 'leased';
CREATE INDEX ix_jobs_lease_until ON jobs (lease_until) WHERE state = 'leased';
CREATE INDEX ix_jobs_failed ON jobs (kind, unique_key) WHERE state = 'failed';
CREATE INDEX ix_jobs_failed_at ON jobs (failed_at) WHERE state = 'failed';
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('registries',2);
INSERT INTO "sqlite_sequence" VALUES('seals',2);
INSERT INTO "sqlite_sequence" VALUES('blobs',4);
INSERT INTO "sqlite_sequence" VALUES('repositories',3);
INSERT INTO "sqlite_sequence" VALUES('manifests',2);
INSERT INTO "sqlite_sequence" VALUES('tag_history',2);
INSERT INTO "sqlite_sequence" VALUES('public_aliases',1);
COMMIT;

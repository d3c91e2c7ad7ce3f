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
INSERT INTO "access_keys" VALUES('AKIAMOORAGETESTROOT0','000000000000','000000000000',X'01CA8C4FFAB52B5D5CE79416BBCC6CA3D7D74AB8EFF99A2783CF5277D0ED5FF94BA3B61E8B9259D0B052D244121CCF8B5ECC3411C0E07AE57B34BC9A7858912B6FE0B00259C02AAC8D9F8DD13D','Active',1795978195187383,NULL,NULL,NULL);
INSERT INTO "access_keys" VALUES('AKIACUN55ORBTDZ6SGP5','000000000000','AIDA5IXKIHO35KRLGFNVQ',X'01CA8C4FFAB52B5D5C839033D551885CCF918CF743AEDAC751C9689104DE03D5B84A15E0045734FE79BD9762F06AF0F304993A48B096E7EBB2D38807B3E2B1D558CDFDA1DBAFAF13DBDE5274AB','Active',1795978196624801,NULL,NULL,NULL);
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
INSERT INTO "account_documents" VALUES('000000000000','passwords:AIDA5IXKIHO35KRLGFNVQ','["$argon2id$v=19$m=19456,t=2,p=1$Jt4IVB2d70Dzcc81uFxiYQ$R9LVJFuHaQKB5W3h1FmfvK/b3jqgyzdKR18Kjh8CjzE"]',1795978196798301);
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
INSERT INTO "accounts" VALUES('000000000000','default',1795978195187383,10,NULL,NULL);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0006');
CREATE TABLE anonymous_transfers (
	month TEXT NOT NULL, 
	place TEXT NOT NULL, 
	sent_bytes INTEGER NOT NULL, 
	CONSTRAINT pk_anonymous_transfers PRIMARY KEY (month, place)
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
INSERT INTO "attachments" VALUES('AIDA5IXKIHO35KRLGFNVQ','arn:aws:iam::000000000000:policy/all',1795978196692014);
INSERT INTO "attachments" VALUES('AROAUOVD3Q3YIXQS2MDAS','arn:aws:iam::aws:policy/aws-service-role/ECRTemplateServiceRolePolicy',1795978196834325);
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
INSERT INTO "blob_pieces" VALUES(1,0,17196,'qqlauldy3wpfhgg3gbrpifjbe242y2xk',X'0167B27054ECBFB5623B24579D4B434084F9C1FCE87A3C9792C3F5A016D12283F6ABD72788AC0371E28B4D1F41404AD4126C5DFE70939C79FA855D946D72D04AD1C9C4CE16');
INSERT INTO "blob_pieces" VALUES(2,0,228,'0bht3kldqovvplkxc6yp2qij4tindvzu6',X'0167B27054ECBFB56215300DE3BE389292B16D7284AC21C44F2F4FCBD347AD68C784658A337B3421085878E8426E693B3309141CD39520507C3FE22256385DF645B9E60A0E');
INSERT INTO "blob_pieces" VALUES(3,0,272,'0ntjuebg2s5swlzq3rhc7uqojzhicjrlv',X'0167B27054ECBFB562DE3939E951914EBC4BA35555173AFB775E7F6BEC14BA46A483C6C25E117E1BA8A06690EFCF28D69F16D2E15ACC529D45F17E7A51C3277440D2EB38AE');
INSERT INTO "blob_pieces" VALUES(4,0,228,'0po3qx6aw2ltivit2eq5bsqjcj5g5ta2g',X'0167B27054ECBFB5627ECB755720E2B40E072D3F7282A87AF9B2A8A8285ABB359A96AC69F88385F7DF0CDF6C04BED077DAD9D12E2F5706CD9A2E97E99851EBD9203DA18278');
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
INSERT INTO "blobs" VALUES(1,1,'sha256:be55d46f8fb3ca016a4a251bfd8b195b2346d6cb32ea4425d3c8ac13d5856b6e',1,17196,1795978195985986);
INSERT INTO "blobs" VALUES(2,1,'sha256:104eee0c391831a5a9e467b63939bb52bb64fa6df2e389bf55edb1f6e56016f4',1,228,1795978196021064);
INSERT INTO "blobs" VALUES(3,1,'sha256:97fc39296176395a0de5656380459c1f393647228e01b8a6fd249e9625a45df9',1,272,1795978196064788);
INSERT INTO "blobs" VALUES(4,1,'sha256:93eca4fda8b4814b6dfdd3c181996acbdcf6a8a366e9179e62866f4b1cdffdd9',1,228,1795978196072809);
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
INSERT INTO "creation_templates" VALUES(1,'made','{"prefix":"made","applied_for":["CREATE_ON_PUSH"],"description":null,"encryption_type":"AES256","kms_key":null,"tags":[],"tag_mutability":"MUTABLE","mutability_filters":[],"repository_policy":null,"lifecycle_policy":null,"role_arn":null}',1795978196834325,1795978196834325);
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
INSERT INTO "group_members" VALUES('AGPACDWBYDCSCCAE36IXE','AIDA5IXKIHO35KRLGFNVQ',1795978196659861);
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
INSERT INTO "identities" VALUES('AIDA5IXKIHO35KRLGFNVQ','000000000000','user','alice','alice','/',1795978196605004,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AGPACDWBYDCSCCAE36IXE','000000000000','group','people','people','/',1795978196641466,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "identities" VALUES('AROAUOVD3Q3YIXQS2MDAS','000000000000','role','AWSServiceRoleForECRTemplate','awsserviceroleforecrtemplate','/aws-service-role/ecr.amazonaws.com/',1795978196834325,'Lets the registry create repositories by templates.',NULL,'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecr.amazonaws.com"}, "Action": "sts:AssumeRole"}]}','{}',3600,'ecr.amazonaws.com',NULL,NULL);
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
INSERT INTO "identity_tags" VALUES('AIDA5IXKIHO35KRLGFNVQ','k','k','v');
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
INSERT INTO "inline_policies" VALUES('AGPACDWBYDCSCCAE36IXE','inline','{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}');
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
INSERT INTO "lifecycle_policies" VALUES(1,'{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]}',1795978196815534,0);
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
INSERT INTO "login_profiles" VALUES('AIDA5IXKIHO35KRLGFNVQ','$argon2id$v=19$m=19456,t=2,p=1$Jt4IVB2d70Dzcc81uFxiYQ$R9LVJFuHaQKB5W3h1FmfvK/b3jqgyzdKR18Kjh8CjzE',0,1795978196798301,0,0);
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
INSERT INTO "managed_policies" VALUES('ANPALG3FRKZ4ZNXD5KXQP','000000000000','all','all','/','arn:aws:iam::000000000000:policy/all',NULL,1,1,1795978196673392,1795978196673392);
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
INSERT INTO "manifest_payloads" VALUES(1,X'84D9A706EEA2D3BF1139CFB090620B3DC70E01A5FFA0E9552BC0F2A05AA08AEA1FE775E6156F662DB5D6CED3D92C5F160B3F39608C04813FA9E12FA3D8E5D271625624BB9A26BE58E161706231EB93C4BB6C2152C99BACE27885AEB35492E715DD85E03D142C442BD25F09A22B26E03C8077086B57BD08D7F2C05DCDF81DD09CB85380998BCBCAD252854CDE1D1D698882B138012E49BB7A8644C32945DA5A4025464ABEECB92D62FEF45DE2F2D472A15E674337481005105F279BAF9775EEB5D2966B350A2C01651B382EAE3630380017C1F8694DEA5DD9D296BFA8F0E8264A17EBF0B920A26DF198AA8F47B2DC422518D52114C2A67264AD5FEF82C6565C2CB788B2F30D470186D6DD5FB6B213C8FF93750B1AB5515E750B79688C54FAF03670EEE838A288910CEF9CD019A451F7CE47F7B14C94A8CE3967143BF8DF42B7FD2770045E57E3ABB2A54588430C0B16AF19AD32FD9FF1ED0EC4425800BDB69D17CACE9AE14C581B91CFBFB1242B25CD8335C26BDE9A218B79279E196E465F6601D9FDD8253D20E8E8C1F9BD6D4A8157C893417BE2EC03F94F0B4BC7231CE8922630D1E9DFF957353EB15B4517356E5F3F0C16C838A7413394B5CC08B48E748496',X'0167B27054ECBFB5627B4F3D757EF8F749B63CF6C18C8AA617DC027FFF88CB3C2715E8807B6E4F30E29E81E4CF10AE25AAA88430AFBC218339BF88F8879FD9F9F11476E6B1');
INSERT INTO "manifest_payloads" VALUES(2,X'A21969FD0735123BA847D53C84D93299FF538A58B1656056F180DA251577F6E846D990439B1DCE4158C4E79CA066549A2F4F44C381048B2541C34F92CCE21A5FA0A6CE5E608D7E5B2C2ACD0298A1BAEFC6F31B6E1CFF9D7EE91D90D3BD032BFF18D45FBA1E1F681276A0BF0EF8198A7A7903D90927ECF23A1F927B35C31551B28C2B9F4DFF08E15070DFFE722CEFF3334F57D57DC1BA9FBC8AF3AB472C0224AD8AF29E3BAFC640E1771B60E904BA825A1E3F71BF2F8BB9D8942ED38F9F2ABD3EBEB51B1D9B9040F39B2BED1B95EA16A3F6D1C728285D9E4B1ED21CDAF53868CB4D791D3F8593A144B789A94C3D0F543141BA6EBBF180AAAC2D9D1723E80F88651B9E5D13FEA8A1F0E4E622D386AB3E9DD411C13C808675432BEBBF9F99421F6C84651F49DF18C6818FEF759A4AF5DD4D4AA4A00862BD40D14B0A01265F5FFF0CE879B408DEFC39EE46DEA60F9608FE0701E7069172E4D33D30145093F4073369433F22776DD3A3C0558CDC0AA09D612592F496994FB23A6B291CACD2BA3A785AEE51F06FD35E23B1D7CBFE65F788463F40139075AC3A21C81D1ACC38C57B5E65EB8BD3D37B2490163461B9A2800808CD6F3786A5F7291AF65C1FD9D653A5',X'0167B27054ECBFB562EAF353CD370C2984C590FA56D9646E2DE01D3F9FB0C04DBA0BBD4D226F2E3A1562AA3F2BDEF415BF0C95FAD4B822222C57B43073FE2250BF1B9C222F');
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
INSERT INTO "manifests" VALUES(1,1,'sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',420,17424,1795978196027554,'arn:aws:iam::000000000000:root',0,NULL,NULL);
INSERT INTO "manifests" VALUES(2,1,'sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e','application/vnd.oci.image.manifest.v1+json','application/vnd.oci.image.config.v1+json','application/vnd.oci.image.config.v1+json',NULL,'{}',418,500,1795978196078676,'arn:aws:iam::000000000000:root',0,NULL,NULL);
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
INSERT INTO "policy_versions" VALUES('ANPALG3FRKZ4ZNXD5KXQP',1,'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}',1795978196673392);
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
INSERT INTO "public_aliases" VALUES(1,'pcevjm5b',2,1,1795978196863472);
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
INSERT INTO "registries" VALUES(1,'aws','us-east-1','000000000000','127.83.156.220',1795978195913266);
INSERT INTO "registries" VALUES(2,'aws','','000000000000','public:000000000000',1795978196863472);
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
INSERT INTO "repositories" VALUES(1,1,'app','live',1795978195913266,'MUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
INSERT INTO "repositories" VALUES(2,1,'other','live',1795978195944670,'IMMUTABLE','[]',0,'AES256',NULL,1,NULL,NULL);
INSERT INTO "repositories" VALUES(3,2,'shown','live',1795978196863472,'MUTABLE','[]',0,'AES256',NULL,2,NULL,NULL);
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
INSERT INTO "repository_catalogs" VALUES(3,'{"description":"d","architectures":null,"operating_systems":null,"about_text":null,"usage_text":null}',NULL,1795978196863472);
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
INSERT INTO "seals" VALUES(1,1,'AES256','',X'01CA8C4FFAB52B5D5C3D82573D21678C4FF5AA224B9AD66BA0B0A83C9E8BBCD67F374E34A373D5702F396F4B5A4AB0A9E94EA8DF4CA8B942364F73EBF066502CC5CF3BB4F1',1795978195913266);
INSERT INTO "seals" VALUES(2,2,'AES256','',X'01CA8C4FFAB52B5D5CDF25154955F89098A96AAF5C749D75C7481C98AFF0654E05C16FBF162BB0D60D98D07E849029865A4F12B23B0FA22912300D913CC41A79AB8EDBFF5B',1795978196863472);
CREATE TABLE small_objects (
	"key" TEXT NOT NULL, 
	sealed BLOB NOT NULL, 
	CONSTRAINT pk_small_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "small_objects" VALUES('0bht3kldqovvplkxc6yp2qij4tindvzu6',X'5B4004099D051F72269C008F183FA6DA474FE0F4992B34D7A9A095F773097EC4B60EA0D923E48AC2C403BBB47B5D0B4B6137982BD7EE1983D20D2D3FD99032DA44E5AB620962E334F6862301F44A8EFAD8BA081C3E2BB98476A8D29CDDB588CFC75C803FBF46F91C5CCB7FF0DBB9CA78C310E62B6CD639D3E3AD221C843CB4EB16E7775024F5E8D143DCCECCE3871CA57067AB5483C4CC72601CD488C7765C3AFDD0E547CF9DC256809D15504E84CC6C9EE6A7B4B36D14B4BC25FF57A914EFA042C2D9E2FD6894C45608736208291CAF3B377CAD070BD304624DCFFDDF27082834C92B125EB9752FF34ABC7C812597FABDC4D8B9F7226557F6063C674893B2B2');
INSERT INTO "small_objects" VALUES('0ntjuebg2s5swlzq3rhc7uqojzhicjrlv',X'A72B609CB4AFCE38CAC05C70FD899307C51249F51E1B0B1AF3C5047FB324A1093DB81943943A049544358F5039E539E060EA38F6F78AB1E8187957840476475694DF83EB754C19ACD928A27B3A49E21982FA4482A70804C877CC41363DB4DDA187ED8AF0DC7B7FE3158CC5780A4B44B1763B160326BE98D479EE2E4BAEE8F6A96C716E062092D6445D6F692002E636C778260A923E769A6BE20BAC6D16AA5D0A1149CBB86992C5D0D0B6628779D31EF4C28510D8C1BE14AB9FD6AB3D745B610A9A67D1CCB2CBE5D6BCF614171DC03989A1DCB16F62F6CF6896F0042457819710FB3538BE153728D7B4D8993F355AB9C114180538B18B2976B08018F7AE7F96991D407CA6D3D10BC277427AE7E434CC472843C1640278D80AD66864C05EE890E3FC6441E76A9B8D560C91B4BC');
INSERT INTO "small_objects" VALUES('0po3qx6aw2ltivit2eq5bsqjcj5g5ta2g',X'E43E1CC584B56361D09568739D2F43E6DEF77A39B85D963055CC021F943CD835699C7CC4EDF70CE0A38B1674C9D166473E173C81D6E9FADAD2CDCFE2F6B0AB37B9CD62536F176B6436BF39367D0B45B5EE336BCF4F5CF2DEFEBC405E5426D6F9C32EB58E5C59F9725C9707202D2149E4985BF662CDFAE459FD0C4D17D9803528BBE0D8A9817007BD50ECDE7BDC331BBB85A15949AB7EE472C27A8D4A561DC1BAC38B04013C54D1BCFF19DF355F0CFA714D6DD9DB2393CCB369C9C3B49A2351E2B902D78C33A649E323F9067AF27856BF499BFE9CBA57AFFCEE28328677EC0F1559350A68602D9CE8FFC70E1C3000864D6E06ED0BF49F50DE2ACA8A9000F3D3C5');
CREATE TABLE storage_objects (
	"key" TEXT NOT NULL, 
	state TEXT NOT NULL, 
	due INTEGER NOT NULL, 
	CONSTRAINT pk_storage_objects PRIMARY KEY ("key")
)
 STRICT

;
INSERT INTO "storage_objects" VALUES('qqlauldy3wpfhgg3gbrpifjbe242y2xk','live',0);
INSERT INTO "storage_objects" VALUES('eci6xvc376ntbgwjokrthxpbxe5bzrtv','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('nj4cmkcgdldxurpv6nrrpf2wqi5qjifr','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('gvclprwbnqknntnjddh3fu4ws3i5qiy2','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('vddcidzh75rd2vylavqawe745vm2l6jo','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('pylmn6wt3ufxjhacjcf4dmrzhu34q6it','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('ph2yaebhwvi4cibe5ixbitj2tavv6x5h','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('jomcmtvmeptstanrsk5gstiiukrxzo5v','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('ayi7tjjlipzz3rnp4ibgia6rxgqv5dfs','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('n6q57bhwguzxq4pw37337qedjuntpete','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('sgf663njzy5f4mvjy54cahab3hl2r7tn','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('3qyzyp55qdqsh2npdmoi4uhsv72hjkvh','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('cyp3q33k62becwtxnth4rupktch2pii5','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('end6mcc25ssqx2mnhwsorhsdw6mswovi','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('egey32fsfleupo6zurnlvsujum3rvlec','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('nr3nd7na5b537fqofz3nx5waoaygymoy','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('wtaka4hplwxpikaisu35znkiahpz7753','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('5eyvyvr546amd2dh7metlm4z5rsmhvya','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('4gzgho4v5jidcevcrupsdzvob64cm7jp','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('devzhxvkj26jramd7nndmpubflm3b7an','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('w3qq7sugvrz3dvp36j24pdlapj5ynuqf','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('pbri7w4r3v3adae2kwx7csgwlcohzesi','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('tv5rsw6hezotjkvy6hrlw6mqnasew5op','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('2qbbt7p35auqyylkptkseqtjghyuqs6m','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('fcqq6k63qiqnlzawd6dxrx3qjb24rld2','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('uavlw7eoy274744qptrahmgtq5pr6lsd','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('k57k4vixbkcxkvc3isjuxsesszcopl7u','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('6bwx3x2kkm4doste5uz3s4yy6fgmwedm','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('awhbnudtg7n35aopvquvpyssgnmfhqn7','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('lzzx5dno5m4ybxhdrjol6vdvb45zvzhl','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('63c4zs7jz64uhentlgewlegl5toassi4','writing',1795992595970203);
INSERT INTO "storage_objects" VALUES('2q6bb57qvzapojpuqsandwuhgr2dedax','writing',1795992595970203);
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
INSERT INTO "tag_history" VALUES(1,1,'large','sha256:22404ea7ce94c3fcca42b3ae4f776ce6bea1424ebc7fd66d25364ed338f8a316',NULL,1795978196027554,NULL,'arn:aws:iam::000000000000:root','push',NULL);
INSERT INTO "tag_history" VALUES(2,1,'small','sha256:8bfd99f797ea56f8f37f1dc5d27357d948d432f6283fb67fbb871a8e41bac68e',NULL,1795978196078676,NULL,'arn:aws:iam::000000000000:root','push',NULL);
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
INSERT INTO "tags" VALUES(1,'large',1,1795978196027554);
INSERT INTO "tags" VALUES(1,'small',2,1795978196078676);
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

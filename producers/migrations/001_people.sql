-- Schools, classes, students, teachers, users, memberships, follows and blocks.
--
-- The development copy follows the upstream schema: quoted camelCase columns, opaque text ids that the client makes,
-- timestamp(3) without time zone in UTC, "updatedAt" without a default, arrays that may be NULL.
-- schools, users, school_memberships, follows and user_blocks have every column of upstream. Of classes, students,
-- teachers and the two tables that join them to classes only the columns that visibility rests on are here.
-- Enums of which we know only the default ("LinkingStatus", "IdFormat") hold just that; upstream's have more.

SET LOCAL search_path = public;

CREATE TYPE "UserRole" AS ENUM (
    'SUPER_ADMIN', 'ADMIN', 'TEACHER', 'STUDENT', 'PARENT', 'STAFF', 'PRINCIPAL', 'VICE_PRINCIPAL');
CREATE TYPE "ProfileVisibility" AS ENUM ('PUBLIC', 'SCHOOL', 'CLASS', 'PRIVATE');
CREATE TYPE "AccountType" AS ENUM ('SOCIAL_ONLY', 'SCHOOL_ONLY', 'HYBRID');
CREATE TYPE "LinkingStatus" AS ENUM ('NONE');
CREATE TYPE "SchoolMembershipStatus" AS ENUM ('ACTIVE', 'SUSPENDED', 'UNLINKED');
CREATE TYPE "SubscriptionTier" AS ENUM (
    'FREE_TRIAL_1M', 'FREE_TRIAL_3M', 'BASIC', 'STANDARD', 'PREMIUM', 'ENTERPRISE');
CREATE TYPE "SchoolType" AS ENUM (
    'PRIMARY_SCHOOL', 'MIDDLE_SCHOOL', 'HIGH_SCHOOL', 'COMPLETE_SCHOOL', 'INTERNATIONAL');
CREATE TYPE "EducationModel" AS ENUM ('KHM_MOEYS', 'EU_STANDARD', 'INT_BACC', 'CUSTOM');
CREATE TYPE "IdFormat" AS ENUM ('STRUCTURED');
CREATE TYPE "RegistrationStatus" AS ENUM ('PENDING', 'APPROVED', 'REJECTED');

CREATE TABLE schools (
    id                   text PRIMARY KEY,
    name                 text NOT NULL,
    slug                 text NOT NULL,
    email                text NOT NULL,
    phone                text,
    address              text,
    logo                 text,
    website              text,
    "subscriptionTier"   "SubscriptionTier" NOT NULL DEFAULT 'FREE_TRIAL_1M',
    "subscriptionStart"  timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "subscriptionEnd"    timestamp(3),
    "isActive"           boolean NOT NULL DEFAULT true,
    "isTrial"            boolean NOT NULL DEFAULT true,
    "maxStudents"        integer NOT NULL DEFAULT 100,
    "maxTeachers"        integer NOT NULL DEFAULT 10,
    "maxStorage"         bigint NOT NULL DEFAULT 1073741824,
    "currentStudents"    integer NOT NULL DEFAULT 0,
    "currentTeachers"    integer NOT NULL DEFAULT 0,
    "currentStorage"     bigint NOT NULL DEFAULT 0,
    "createdAt"          timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"          timestamp(3) NOT NULL,
    "gradeRange"         text NOT NULL DEFAULT '7-12',
    "onboardingStep"     integer NOT NULL DEFAULT 0,
    "schoolType"         "SchoolType" NOT NULL DEFAULT 'HIGH_SCHOOL',
    "setupCompleted"     boolean NOT NULL DEFAULT false,
    "setupCompletedAt"   timestamp(3),
    "workingDays"        integer[] DEFAULT ARRAY[1, 2, 3, 4, 5],
    "countryCode"        text DEFAULT 'KH',
    "defaultLanguage"    text DEFAULT 'km-KH',
    "educationModel"     "EducationModel" DEFAULT 'KHM_MOEYS',
    "idFormat"           "IdFormat" NOT NULL DEFAULT 'STRUCTURED',
    "idPrefix"           text DEFAULT '01',
    "nextStudentNumber"  integer NOT NULL DEFAULT 1,
    "nextTeacherNumber"  integer NOT NULL DEFAULT 1,
    "regionCode"         text,
    "registrationStatus" "RegistrationStatus" NOT NULL DEFAULT 'APPROVED'
);
CREATE UNIQUE INDEX schools_slug_key ON schools (slug);
CREATE UNIQUE INDEX schools_email_key ON schools (email);

CREATE TABLE classes (
    id               text PRIMARY KEY,
    "schoolId"       text NOT NULL REFERENCES schools (id) ON DELETE CASCADE,
    name             text NOT NULL,
    grade            text NOT NULL,
    section          text,
    track            text,
    "academicYearId" text NOT NULL,
    "createdAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"      timestamp(3) NOT NULL
);
CREATE INDEX "classes_schoolId_idx" ON classes ("schoolId");

CREATE TABLE students (
    id                 text PRIMARY KEY,
    "schoolId"         text NOT NULL REFERENCES schools (id) ON DELETE CASCADE,
    "classId"          text REFERENCES classes (id) ON DELETE SET NULL,
    "studentId"        text,
    "firstName"        text NOT NULL,
    "lastName"         text NOT NULL,
    "englishFirstName" text,
    "englishLastName"  text,
    "createdAt"        timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp(3) NOT NULL
);
CREATE INDEX "students_schoolId_idx" ON students ("schoolId");
CREATE INDEX "students_classId_idx" ON students ("classId");

CREATE TABLE teachers (
    id                 text PRIMARY KEY,
    "schoolId"         text NOT NULL REFERENCES schools (id) ON DELETE CASCADE,
    "homeroomClassId"  text REFERENCES classes (id) ON DELETE SET NULL,
    "firstName"        text NOT NULL,
    "lastName"         text NOT NULL,
    "englishFirstName" text,
    "englishLastName"  text,
    "createdAt"        timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"        timestamp(3) NOT NULL
);
CREATE INDEX "teachers_schoolId_idx" ON teachers ("schoolId");
CREATE INDEX "teachers_homeroomClassId_idx" ON teachers ("homeroomClassId");

CREATE TABLE student_classes (
    id               text PRIMARY KEY,
    "studentId"      text NOT NULL REFERENCES students (id) ON DELETE CASCADE,
    "classId"        text NOT NULL REFERENCES classes (id) ON DELETE CASCADE,
    "academicYearId" text NOT NULL,
    status           text NOT NULL DEFAULT 'ACTIVE',
    "endedAt"        timestamp(3)
);
CREATE INDEX "student_classes_studentId_idx" ON student_classes ("studentId");
CREATE INDEX "student_classes_classId_idx" ON student_classes ("classId");

CREATE TABLE teacher_classes (
    id          text PRIMARY KEY,
    "teacherId" text NOT NULL REFERENCES teachers (id) ON DELETE CASCADE,
    "classId"   text NOT NULL REFERENCES classes (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX "teacher_classes_teacherId_classId_key" ON teacher_classes ("teacherId", "classId");
CREATE INDEX "teacher_classes_classId_idx" ON teacher_classes ("classId");

CREATE TABLE users (
    id                        text PRIMARY KEY,
    "schoolId"                text REFERENCES schools (id) ON DELETE CASCADE,
    email                     text,
    username                  text,
    password                  text NOT NULL,
    "firstName"               text NOT NULL,
    "lastName"                text NOT NULL,
    "englishFirstName"        text,
    "englishLastName"         text,
    "createdAt"               timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"               timestamp(3) NOT NULL,
    "failedAttempts"          integer NOT NULL DEFAULT 0,
    "isActive"                boolean NOT NULL DEFAULT true,
    "lastLogin"               timestamp(3),
    "lockedUntil"             timestamp(3),
    "loginCount"              integer NOT NULL DEFAULT 0,
    permissions               jsonb DEFAULT '{"canEnterGrades": true, "canViewReports": true}',
    phone                     text,
    "studentId"               text REFERENCES students (id) ON DELETE SET NULL,
    "teacherId"               text REFERENCES teachers (id) ON DELETE SET NULL,
    role                      "UserRole" NOT NULL DEFAULT 'TEACHER',
    "accountSuspendedAt"      timestamp(3),
    "isDefaultPassword"       boolean NOT NULL DEFAULT true,
    "isSuperAdmin"            boolean NOT NULL DEFAULT false,
    "linkingStatus"           "LinkingStatus" NOT NULL DEFAULT 'NONE',
    "pendingLinkData"         jsonb,
    "schoolAccessVersion"     integer NOT NULL DEFAULT 0,
    "lastPasswordHashes"      text[],
    "passwordChangedAt"       timestamp(3),
    "passwordExpiresAt"       timestamp(3),
    "passwordResetExpiry"     timestamp(3),
    "passwordResetToken"      text,
    "suspensionReason"        text,
    "parentId"                text,
    "profilePictureUrl"       text,
    "profilePictureKey"       text,
    "coverPhotoUrl"           text,
    "coverPhotoKey"           text,
    bio                       text,
    headline                  text,
    interests                 text[],
    skills                    text[],
    "socialLinks"             jsonb,
    "profileCompleteness"     integer NOT NULL DEFAULT 0,
    "profileUpdatedAt"        timestamp(3),
    "profileVisibility"       "ProfileVisibility" NOT NULL DEFAULT 'SCHOOL',
    "careerGoals"             text,
    location                  text,
    languages                 text[],
    "professionalTitle"       text,
    "isVerified"              boolean NOT NULL DEFAULT false,
    "verifiedAt"              timestamp(3),
    "totalLearningHours"      integer NOT NULL DEFAULT 0,
    "currentStreak"           integer NOT NULL DEFAULT 0,
    "longestStreak"           integer NOT NULL DEFAULT 0,
    "totalPoints"             integer NOT NULL DEFAULT 0,
    level                     integer NOT NULL DEFAULT 1,
    "isOpenToOpportunities"   boolean NOT NULL DEFAULT false,
    "resumeUrl"               text,
    "resumeKey"               text,
    "accountType"             "AccountType" NOT NULL DEFAULT 'SOCIAL_ONLY',
    "emailVerificationExpiry" timestamp(3),
    "emailVerificationToken"  text,
    "isEmailVerified"         boolean NOT NULL DEFAULT false,
    "organizationCode"        text,
    "organizationName"        text,
    "organizationType"        text,
    "privacySettings"         jsonb,
    "socialFeaturesEnabled"   boolean NOT NULL DEFAULT true,
    "ssoAccessToken"          text,
    "ssoId"                   text,
    "ssoProvider"             text,
    "reelCombo"               integer NOT NULL DEFAULT 0,
    "highestReelCombo"        integer NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX users_email_key ON users (email);
CREATE UNIQUE INDEX users_username_key ON users (username);
CREATE UNIQUE INDEX users_phone_key ON users (phone);
CREATE UNIQUE INDEX "users_studentId_key" ON users ("studentId");
CREATE UNIQUE INDEX "users_teacherId_key" ON users ("teacherId");
CREATE UNIQUE INDEX "users_parentId_key" ON users ("parentId");
CREATE UNIQUE INDEX "users_passwordResetToken_key" ON users ("passwordResetToken");
CREATE UNIQUE INDEX "users_emailVerificationToken_key" ON users ("emailVerificationToken");
CREATE INDEX "users_schoolId_idx" ON users ("schoolId");

CREATE TABLE school_memberships (
    id              text PRIMARY KEY,
    "userId"        text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "schoolId"      text NOT NULL REFERENCES schools (id) ON DELETE CASCADE,
    "studentId"     text,
    "teacherId"     text,
    role            "UserRole" NOT NULL,
    status          "SchoolMembershipStatus" NOT NULL DEFAULT 'ACTIVE',
    "linkedAt"      timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "unlinkedAt"    timestamp(3),
    "linkRequestId" text,
    "createdAt"     timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt"     timestamp(3) NOT NULL
);
CREATE UNIQUE INDEX "school_memberships_userId_schoolId_key" ON school_memberships ("userId", "schoolId");
CREATE UNIQUE INDEX "school_memberships_studentId_key" ON school_memberships ("studentId");
CREATE UNIQUE INDEX "school_memberships_teacherId_key" ON school_memberships ("teacherId");
CREATE UNIQUE INDEX "school_memberships_linkRequestId_key" ON school_memberships ("linkRequestId");
CREATE INDEX "school_memberships_schoolId_idx" ON school_memberships ("schoolId");

CREATE TABLE follows (
    id            text PRIMARY KEY,
    "followerId"  text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "followingId" text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "createdAt"   timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "follows_followerId_followingId_key" ON follows ("followerId", "followingId");
CREATE INDEX "follows_followingId_idx" ON follows ("followingId");

CREATE TABLE user_blocks (
    id          text PRIMARY KEY,
    "blockerId" text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "blockedId" text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    "createdAt" timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX "user_blocks_blockerId_blockedId_key" ON user_blocks ("blockerId", "blockedId");
CREATE INDEX "user_blocks_blockedId_idx" ON user_blocks ("blockedId");

package org.xinyin.interop;

import java.nio.file.Files;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.Security;
import java.security.Signature;
import java.util.Date;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1Encoding;
import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.ASN1GeneralizedTime;
import org.bouncycastle.asn1.ASN1Integer;
import org.bouncycastle.asn1.ASN1OctetString;
import org.bouncycastle.asn1.ASN1UTCTime;
import org.bouncycastle.asn1.DERBitString;
import org.bouncycastle.asn1.DERGeneralizedTime;
import org.bouncycastle.asn1.DERIA5String;
import org.bouncycastle.asn1.DEROctetString;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERUTCTime;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.ofdrw.gm.ses.v1.SES_ESPictrueInfo;
import org.ofdrw.gm.ses.v1.SES_Header;
import org.ofdrw.gm.ses.v1.SES_SignInfo;
import org.ofdrw.gm.ses.v4.CertInfoList;
import org.ofdrw.gm.ses.v4.SES_CertList;
import org.ofdrw.reader.OFDReader;
import org.ofdrw.sign.ExtendSignatureContainer;
import org.ofdrw.sign.OFDSigner;
import org.ofdrw.sign.SignMode;
import org.ofdrw.sign.signContainer.DigitalSignContainer;
import org.ofdrw.sign.signContainer.GBT35275DSContainer;
import org.ofdrw.sign.signContainer.GBT35275PKCS9DSContainer;
import org.ofdrw.sign.signContainer.SESV1Container;
import org.ofdrw.sign.signContainer.SESV4Container;
import org.ofdrw.sign.stamppos.NormalStampPos;
import org.ofdrw.sign.stamppos.RidingStampPos;
import org.ofdrw.sign.stamppos.Side;
import org.ofdrw.sign.stamppos.StampAppearance;

/**
 * Seals and signs a document with ofdrw in every form it has.
 *
 * <p>Usage: {@code OfdSealer DOCUMENT.ofd PICTURE.png FOLDER}. Writes the trust material of {@link Pki}, both seals and
 * {@code v1.ofd}, {@code v4.ofd}, {@code twice.ofd} (continue mode, V4 then V1), {@code riding.ofd},
 * {@code digital.ofd}, {@code 35275.ofd} and {@code pkcs9.ofd} into the folder.
 */
public final class OfdSealer {
    private static final long DAY = 24L * 60 * 60 * 1000;

    private OfdSealer() {}

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Path document = Path.of(arguments[0]);
        byte[] picture = Files.readAllBytes(Path.of(arguments[1]));
        Path folder = Files.createDirectories(Path.of(arguments[2]));
        Pki pki = new Pki();
        pki.writeTo(folder);
        org.ofdrw.gm.ses.v1.SESeal first = sealOfTheFirstGeneration(pki, picture);
        org.ofdrw.gm.ses.v4.SESeal fourth = sealOfTheFourthVersion(pki, picture);
        Files.write(folder.resolve("v1.esl"), first.getEncoded(ASN1Encoding.DER));
        Files.write(folder.resolve("v4.esl"), fourth.getEncoded(ASN1Encoding.DER));
        PrivateKey key = pki.signer.key();
        var certificate = pki.signer.certificate();
        StampAppearance corner = new NormalStampPos(1, 120, 200, 40, 40);
        seal(document, folder.resolve("v1.ofd"), new SESV1Container(key, first, certificate), SignMode.WholeProtected, corner);
        seal(document, folder.resolve("v4.ofd"), new SESV4Container(key, fourth, certificate), SignMode.WholeProtected, corner);
        Path once = folder.resolve("once.ofd");
        seal(document, once, new SESV4Container(key, fourth, certificate), SignMode.ContinueSign, corner);
        seal(
                once,
                folder.resolve("twice.ofd"),
                new SESV1Container(key, first, certificate),
                SignMode.ContinueSign,
                new NormalStampPos(1, 20, 200, 40, 40));
        Files.delete(once);
        seal(
                document,
                folder.resolve("riding.ofd"),
                new SESV4Container(key, fourth, certificate),
                SignMode.WholeProtected,
                new RidingStampPos(Side.Right, 40, 40));
        seal(document, folder.resolve("digital.ofd"), new DigitalSignContainer(key), SignMode.WholeProtected, null);
        seal(document, folder.resolve("35275.ofd"), new GBT35275DSContainer(certificate, key), SignMode.WholeProtected, null);
        seal(document, folder.resolve("pkcs9.ofd"), new GBT35275PKCS9DSContainer(certificate, key), SignMode.WholeProtected, null);
    }

    private static void seal(Path in, Path out, ExtendSignatureContainer container, SignMode mode, StampAppearance where)
            throws Exception {
        try (OFDReader reader = new OFDReader(in);
                OFDSigner signer = new OFDSigner(reader, out)) {
            signer.setSignMode(mode);
            signer.setSignContainer(container);
            if (where != null) {
                signer.addApPos(where);
            }
            signer.exeSign();
        }
    }

    private static org.ofdrw.gm.ses.v1.SESeal sealOfTheFirstGeneration(Pki pki, byte[] picture) throws Exception {
        Date now = new Date();
        ASN1UTCTime made = new DERUTCTime(new Date(now.getTime() - DAY));
        ASN1UTCTime ends = new DERUTCTime(new Date(now.getTime() + 300 * DAY));
        var property = new org.ofdrw.gm.ses.v1.SES_ESPropertyInfo(
                org.ofdrw.gm.ses.v1.SES_ESPropertyInfo.OrgType,
                new DERUTF8String("外来测试章"),
                new DERSequence(new DEROctetString(pki.signer.certificate().getEncoded())),
                made,
                made,
                ends);
        var info = new org.ofdrw.gm.ses.v1.SES_SealInfo(
                new SES_Header(new ASN1Integer(1), new DERIA5String("Foreign")),
                new DERIA5String("36090000000001"),
                property,
                pictureOf(picture),
                null);
        ASN1OctetString maker = new DEROctetString(pki.maker.certificate().getEncoded());
        var covered = new ASN1EncodableVector();
        covered.add(info);
        covered.add(maker);
        covered.add(GMObjectIdentifiers.sm2sign_with_sm3);
        var signed = new SES_SignInfo(
                maker, GMObjectIdentifiers.sm2sign_with_sm3, new DERBitString(sign(pki.maker.key(), new DERSequence(covered))));
        return new org.ofdrw.gm.ses.v1.SESeal(info, signed);
    }

    static org.ofdrw.gm.ses.v4.SESeal sealOfTheFourthVersion(Pki pki, byte[] picture) throws Exception {
        Date now = new Date();
        ASN1GeneralizedTime made = new DERGeneralizedTime(new Date(now.getTime() - DAY));
        ASN1GeneralizedTime ends = new DERGeneralizedTime(new Date(now.getTime() + 300 * DAY));
        var signers = new CertInfoList();
        signers.add(new DEROctetString(pki.signer.certificate().getEncoded()));
        var property = new org.ofdrw.gm.ses.v4.SES_ESPropertyInfo(
                new ASN1Integer(1),
                new DERUTF8String("外来测试章"),
                new ASN1Integer(1),
                new SES_CertList(signers),
                made,
                made,
                ends);
        var info = new org.ofdrw.gm.ses.v4.SES_SealInfo(
                new SES_Header(SES_Header.V4, new DERIA5String("Foreign")),
                new DERIA5String("36090000000002"),
                property,
                pictureOf(picture),
                null);
        return new org.ofdrw.gm.ses.v4.SESeal(
                info,
                new DEROctetString(pki.maker.certificate().getEncoded()),
                GMObjectIdentifiers.sm2sign_with_sm3,
                new DERBitString(sign(pki.maker.key(), info)));
    }

    private static SES_ESPictrueInfo pictureOf(byte[] picture) {
        return new SES_ESPictrueInfo(
                new DERIA5String("PNG"), new DEROctetString(picture), new ASN1Integer(40), new ASN1Integer(40));
    }

    private static byte[] sign(PrivateKey key, ASN1Encodable covered) throws Exception {
        Signature signature = Signature.getInstance("SM3withSM2", "BC");
        signature.initSign(key);
        signature.update(covered.toASN1Primitive().getEncoded(ASN1Encoding.DER));
        return signature.sign();
    }
}
